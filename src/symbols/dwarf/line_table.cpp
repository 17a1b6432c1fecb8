#include "symbols/dwarf/line_table.h"

#include <algorithm>

#include "base/range.h"
#include "bytes/cursor.h"
#include "bytes/text_at.h"
#include "symbols/dwarf/constants.h"

namespace icecore::dwarf {

namespace {

bool isAbsolute(std::string_view path) {
    return path.starts_with('/') || (path.size() > 2 && path[1] == ':');
}

std::string join(std::string_view folder, std::string_view name) {
    if (folder.empty() || isAbsolute(name)) return std::string(name);
    std::string path(folder);
    if (!path.ends_with('/')) path += '/';
    return path.append(name);
}

}  // namespace

/// The header's tables and the state machine.
class LineTable::Program {
public:
    Program(LineTable& table, ByteView bytes, LineStrings strings)
        : table_(table), strings_(strings), cursor_(bytes) {}

    void run() {
        if (!readHeader()) return;
        while (cursor_.ok() && !cursor_.atEnd()) {
            const std::uint8_t opcode = cursor_.u8();
            if (opcode >= opcodeBase_) {
                special(opcode);
            } else if (opcode == lns_extended) {
                extended();
            } else {
                standard(opcode);
            }
        }
        finishSequence(false);
        std::ranges::sort(table_.sequences_, {}, &Sequence::low);
    }

private:
    bool readHeader() {
        std::uint64_t length = cursor_.u32();
        if (length == 0xffffffff) {
            offsetSize_ = 8;
            length = cursor_.u64();
        }
        if (!cursor_.ok()) return false;
        cursor_ = Cursor(cursor_.view().slice(cursor_.position(), length));
        table_.version_ = cursor_.u16();
        if (table_.version_ < 2 || table_.version_ > 5) return false;
        if (table_.version_ >= 5) cursor_.skip(2);  // sizes of addresses and segment selectors
        const std::uint64_t headerLength = cursor_.unsignedOf(offsetSize_);
        const std::uint64_t headerStart = cursor_.position();
        minimumLength_ = cursor_.u8();
        if (table_.version_ >= 4) cursor_.skip(1);  // operations per VLIW instruction
        cursor_.skip(1);                            // default_is_stmt: every row counts here
        lineBase_ = int{cursor_.i8()};
        lineRange_ = cursor_.u8();
        opcodeBase_ = cursor_.u8();
        if (!cursor_.ok() || lineRange_ == 0 || opcodeBase_ == 0) return false;
        lengths_ = cursor_.bytes(opcodeBase_ - 1U);
        if (headerLength > cursor_.view().size() - headerStart) return false;
        if (table_.version_ >= 5) {
            readTables5();
        } else {
            readTables2();
        }
        cursor_ = Cursor(cursor_.view());  // damaged tables cost names, not lines
        cursor_.seek(headerStart + headerLength);
        return cursor_.ok();
    }

    void readTables2() {
        while (cursor_.ok()) {
            const std::string_view folder = cursor_.cString();
            if (folder.empty()) break;
            table_.directories_.push_back(folder);
        }
        while (cursor_.ok()) {
            FileEntry file;
            file.name = cursor_.cString();
            if (file.name.empty()) break;
            file.directory = cursor_.uleb();
            cursor_.uleb();  // time
            cursor_.uleb();  // size
            table_.files_.push_back(file);
        }
    }

    void readTables5() {
        for (const FileEntry& folder : readEntries5())
            table_.directories_.push_back(folder.name);
        table_.files_ = readEntries5();
    }

    std::vector<FileEntry> readEntries5() {
        std::vector<FileEntry> entries;
        std::vector<std::pair<std::uint64_t, std::uint64_t>> formats(cursor_.u8());
        for (auto& [content, form] : formats) {
            content = cursor_.uleb();
            form = cursor_.uleb();
        }
        const std::uint64_t count = cursor_.uleb();
        // Every entry takes at least a byte per column.
        if (formats.empty() || !cursor_.canHold(count, formats.size())) return entries;
        entries.reserve(static_cast<std::size_t>(count));
        for (std::uint64_t i = 0; i < count && cursor_.ok(); ++i) {
            FileEntry entry;
            for (const auto& [content, form] : formats) {
                std::string_view text;
                std::uint64_t number = 0;
                if (!readColumn(form, text, number)) return entries;
                if (content == lnct_path) entry.name = text;
                if (content == lnct_directory_index) entry.directory = number;
            }
            entries.push_back(entry);
        }
        return entries;
    }

    bool readColumn(std::uint64_t form, std::string_view& text, std::uint64_t& number) {
        switch (form) {
        case form_string: text = cursor_.cString(); break;
        case form_line_strp:
            text = textAt(strings_.lineStr, cursor_.unsignedOf(offsetSize_));
            break;
        case form_strp: text = textAt(strings_.str, cursor_.unsignedOf(offsetSize_)); break;
        case form_udata: number = cursor_.uleb(); break;
        case form_data1: number = cursor_.u8(); break;
        case form_data2: number = cursor_.u16(); break;
        case form_data4: number = cursor_.u32(); break;
        case form_data8: number = cursor_.u64(); break;
        case form_data16: cursor_.skip(16); break;  // MD5
        case form_block: cursor_.skip(cursor_.uleb()); break;
        default: return false;
        }
        return cursor_.ok();
    }

    void advance(std::uint64_t operations) { row_.address += operations * minimumLength_; }

    void special(std::uint8_t opcode) {
        const unsigned adjusted = static_cast<unsigned>(opcode - opcodeBase_);
        advance(adjusted / lineRange_);
        row_.line +=
            static_cast<std::uint32_t>(lineBase_ + static_cast<int>(adjusted % lineRange_));
        emit();
    }

    void standard(std::uint8_t opcode) {
        switch (opcode) {
        case lns_copy: emit(); break;
        case lns_advance_pc: advance(cursor_.uleb()); break;
        case lns_advance_line: row_.line += static_cast<std::uint32_t>(cursor_.sleb()); break;
        case lns_set_file: row_.file = static_cast<std::uint32_t>(cursor_.uleb()); break;
        case lns_const_add_pc:
            advance(static_cast<unsigned>(255 - opcodeBase_) / lineRange_);
            break;
        case lns_fixed_advance_pc: row_.address += cursor_.u16(); break;
        default:  // columns, statement marks and what later versions add
            if (opcode > lengths_.size()) return;
            for (int i = std::to_integer<int>(lengths_.span()[opcode - 1U]); i > 0 && cursor_.ok();
                 --i)
                cursor_.uleb();
        }
    }

    void extended() {
        const std::uint64_t length = cursor_.uleb();
        const std::uint64_t start = cursor_.position();
        if (length == 0) return;
        const std::uint8_t opcode = cursor_.u8();
        switch (opcode) {
        case lne_end_sequence: finishSequence(true); break;
        case lne_set_address:
            row_.address = cursor_.unsignedOf(static_cast<std::size_t>(length - 1));
            break;
        case lne_define_file: {
            FileEntry file;
            file.name = cursor_.cString();
            file.directory = cursor_.uleb();
            table_.files_.push_back(file);
            break;
        }
        default: break;
        }
        const auto next = checkedAdd(start, length);
        cursor_.seek(next.value_or(UINT64_MAX));
    }

    void emit() { table_.rows_.push_back(row_); }

    void finishSequence(bool endKnown) {
        auto& rows = table_.rows_;
        const std::size_t count = rows.size() - first_;
        if (count > 0) {
            const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(first_);
            const auto byAddress = [](const Row& a, const Row& b) { return a.address < b.address; };
            // Addresses ascend within a sequence; where a damaged one does not, sort.
            if (!std::is_sorted(begin, rows.end(), byAddress))
                std::stable_sort(begin, rows.end(), byAddress);
            const std::uint64_t low = begin->address;
            const std::uint64_t high = endKnown ? row_.address : rows.back().address + 1;
            if (high > low) table_.sequences_.push_back({low, high, first_, count});
        }
        first_ = rows.size();
        row_ = {};
        row_.file = 1;
        row_.line = 1;
    }

    LineTable& table_;
    LineStrings strings_;
    Cursor cursor_;
    ByteView lengths_;
    std::size_t offsetSize_ = 4;
    std::size_t first_ = 0;
    Row row_{0, 1, 1};
    std::uint8_t minimumLength_ = 1, lineRange_ = 1, opcodeBase_ = 1;
    int lineBase_ = 0;
};

LineTable::LineTable(ByteView bytes, LineStrings strings, std::string_view compDir)
    : compDir_(compDir) {
    Program(*this, bytes, strings).run();
}

const LineTable::Row* LineTable::find(std::uint64_t address) const {
    auto sequence =
        std::upper_bound(sequences_.begin(), sequences_.end(), address,
                         [](std::uint64_t value, const Sequence& s) { return value < s.low; });
    // Sequences of discarded functions may lie over others at low addresses: look back a little.
    for (int i = 0; i < 8 && sequence != sequences_.begin(); ++i) {
        --sequence;
        if (address >= sequence->high) continue;
        const auto begin = rows_.begin() + static_cast<std::ptrdiff_t>(sequence->first);
        const auto end = begin + static_cast<std::ptrdiff_t>(sequence->count);
        const auto next = std::upper_bound(
            begin, end, address,
            [](std::uint64_t value, const Row& row) { return value < row.address; });
        return next == begin ? nullptr : &*std::prev(next);
    }
    return nullptr;
}

std::string LineTable::fileName(std::uint64_t index) const {
    // Up to version 4 files count from 1 and directory 0 is the compilation's; version 5 lists
    // both.
    if (version_ < 5) {
        if (index == 0 || index > files_.size()) return {};
        const FileEntry& file = files_[static_cast<std::size_t>(index - 1)];
        std::string_view folder;
        if (file.directory != 0 && file.directory <= directories_.size())
            folder = directories_[static_cast<std::size_t>(file.directory - 1)];
        return join(join(compDir_, folder), file.name);
    }
    if (index >= files_.size()) return {};
    const FileEntry& file = files_[static_cast<std::size_t>(index)];
    std::string_view folder;
    if (file.directory < directories_.size())
        folder = directories_[static_cast<std::size_t>(file.directory)];
    return join(isAbsolute(folder) ? std::string(folder) : join(compDir_, folder), file.name);
}

}  // namespace icecore::dwarf
