#include "symbols/pdb/object_symbols.h"

#include <algorithm>

#include "symbols/pdb/pdb_layout.h"

namespace icecore::pdb {

namespace {

constexpr std::uint64_t signatureSize = 4;  // CV_SIGNATURE_C13

/// The code range of a symbol that has code of its own.
struct CodeRange {
    std::uint32_t section = 0, offset = 0, size = 0, end = 0;
};

std::optional<CodeRange> codeOf(const SymbolRecord& record) {
    switch (record.kind) {
    case symGProc32:
    case symLProc32:
    case symGProc32Id:
    case symLProc32Id:
        if (const auto fixed = fixedPart<Procedure>(record))
            return CodeRange{fixed->section, fixed->offset, fixed->size, fixed->end};
        break;
    case symThunk32:
        if (const auto fixed = fixedPart<Thunk>(record))
            return CodeRange{fixed->section, fixed->offset, fixed->size, fixed->end};
        break;
    case symSepCode:
        if (const auto fixed = fixedPart<SeparatedCode>(record))
            return CodeRange{fixed->section, fixed->offset, fixed->size, fixed->end};
        break;
    default: break;
    }
    return std::nullopt;
}

}  // namespace

ObjectSymbols::ObjectSymbols(const MsfFile& file, const ObjectModule& module,
                             const AddressMap& addresses) {
    if (module.stream == noStream) return;
    const MsfStream stream = file.stream(module.stream);
    const std::uint64_t c13At = std::uint64_t{module.symbolSize} + module.c11Size;
    bytes_ = stream.load(0, c13At + module.c13Size);
    const ByteView all(bytes_.span(), file.name());
    symbols_ = all.slice(0, module.symbolSize);
    lines_ = all.slice(c13At, module.c13Size);
    readSymbols(addresses);
    readSubsections(addresses);
    const auto inFile = file.source().mapped();
    const bool copied = bytes_.span().data() < inFile.data() ||
                        bytes_.span().data() >= inFile.data() + inFile.size();
    memory_ = (copied ? bytes_.size() : 0) + functions_.size() * sizeof(Function) +
              data_.size() * sizeof(LocalData) + blocks_.size() * sizeof(LineBlock) +
              inlinees_.size() * sizeof(InlineeLine);
}

void ObjectSymbols::readSymbols(const AddressMap& addresses) {
    std::uint64_t at = signatureSize;
    while (const auto record = symbolAt(symbols_, at)) {
        at = record->next;
        if (record->kind == symLData32) {
            const auto fixed = fixedPart<Data>(*record);
            const auto begin =
                fixed ? addresses.linked(fixed->section, fixed->offset) : std::nullopt;
            if (begin) data_.push_back({*begin, static_cast<std::uint32_t>(record->offset)});
            continue;
        }
        const auto code = codeOf(*record);
        if (!code) continue;
        if (const auto begin = addresses.linked(code->section, code->offset))
            functions_.push_back(
                {*begin, code->size, static_cast<std::uint32_t>(record->offset), record->kind});
        // What is inside a function is looked at when somebody asks for it.
        if (code->end > at && code->end < symbols_.size()) at = code->end;
    }
    std::ranges::stable_sort(functions_, {}, &Function::begin);
    std::ranges::stable_sort(data_, {}, &LocalData::begin);
}

const ObjectSymbols::LocalData* ObjectSymbols::dataBefore(std::uint32_t address) const {
    const auto next = std::ranges::upper_bound(data_, address, {}, &LocalData::begin);
    return next == data_.begin() ? nullptr : &*std::prev(next);
}

std::string_view ObjectSymbols::name(const LocalData& data) const {
    std::string_view text;
    if (const auto record = symbolAt(symbols_, data.record)) (void)fixedPart<Data>(*record, &text);
    return text;
}

const ObjectSymbols::Function* ObjectSymbols::functionAt(std::uint32_t address) const {
    auto next = std::ranges::upper_bound(functions_, address, {}, &Function::begin);
    // Identical functions that were folded share one address; the first that is long enough.
    const Function* best = nullptr;
    constexpr int fewFolded = 64;
    for (int i = 0; i < fewFolded && next != functions_.begin(); ++i) {
        --next;
        if (best != nullptr && next->begin != best->begin) break;
        if (address - next->begin < next->size) best = &*next;
    }
    return best;
}

std::string_view ObjectSymbols::name(const Function& function) const {
    const auto record = symbolAt(symbols_, function.record);
    std::string_view text;
    if (!record) return text;
    if (function.kind == symThunk32) {
        (void)fixedPart<Thunk>(*record, &text);
    } else if (function.kind == symSepCode) {
        // Its parent is the record of the function that it was separated from.
        const auto fixed = fixedPart<SeparatedCode>(*record);
        const auto parent = fixed ? symbolAt(symbols_, fixed->parent) : std::nullopt;
        if (parent && parent->kind != symSepCode && parent->kind != symThunk32 && codeOf(*parent))
            (void)fixedPart<Procedure>(*parent, &text);
    } else {
        (void)fixedPart<Procedure>(*record, &text);
    }
    return text;
}

void ObjectSymbols::readSubsections(const AddressMap& addresses) {
    Cursor cursor(lines_);
    while (cursor.canHold(1, 8)) {
        const std::uint32_t kind = cursor.u32();
        const std::uint32_t size = cursor.u32();
        const std::uint64_t at = cursor.position();
        const ByteView content = lines_.slice(at, size);
        if (content.size() < size) break;
        if (kind == subsectionLines) readLines(content, at, addresses);
        if (kind == subsectionChecksums) checksums_ = content;
        if (kind == subsectionInlinees) readInlinees(content);
        cursor.skip(size);
        cursor.align(4);
    }
    std::ranges::stable_sort(blocks_, {}, &LineBlock::begin);
    std::ranges::stable_sort(inlinees_, {}, &InlineeLine::id);
}

void ObjectSymbols::readLines(ByteView subsection, std::uint64_t at, const AddressMap& addresses) {
    Cursor cursor(subsection);
    const auto header = cursor.structure<LinesHeader>();
    const auto begin = addresses.linked(header.section, header.offset);
    if (!cursor.ok() || !begin) return;
    const std::uint64_t perLine =
        sizeof(LineEntry) + ((header.flags & linesHaveColumns) != 0 ? 4 : 0);
    const std::uint32_t size = std::min<std::uint32_t>(header.size, UINT32_MAX - *begin);
    longestBlock_ = std::max(longestBlock_, size);
    while (cursor.canHold(1, sizeof(LinesBlock))) {
        const auto block = cursor.structure<LinesBlock>();
        if (!cursor.canHold(block.count, perLine)) return;
        blocks_.push_back({*begin, *begin + size,
                           static_cast<std::uint32_t>(at + cursor.position()), block.count,
                           block.file});
        cursor.skip(block.count * perLine);
    }
}

void ObjectSymbols::readInlinees(ByteView subsection) {
    Cursor cursor(subsection);
    const bool extraFiles = cursor.u32() == 1;
    while (cursor.canHold(1, sizeof(Inlinee))) {
        const auto item = cursor.structure<Inlinee>();
        inlinees_.push_back({item.id, item.file, item.line});
        if (extraFiles) cursor.skip(std::uint64_t{cursor.u32()} * 4);
        if (!cursor.ok()) return;
    }
}

LineEntry ObjectSymbols::entry(const LineBlock& block, std::uint32_t index) const {
    LineEntry entry;
    std::memcpy(static_cast<void*>(&entry),
                lines_.data() + block.entries + std::size_t{index} * sizeof(LineEntry),
                sizeof entry);
    return entry;
}

SourceLine ObjectSymbols::lineAt(std::uint32_t address) const {
    auto next = std::ranges::upper_bound(blocks_, address, {}, &LineBlock::begin);
    SourceLine best;
    std::uint64_t bestStart = 0;
    bool found = false;
    while (next != blocks_.begin()) {
        --next;
        if (address - next->begin >= longestBlock_) break;
        if (address >= next->end) continue;
        // The last entry at or below the address, over all files that the function is made of.
        std::uint32_t low = 0, high = next->count;
        while (low < high) {
            const std::uint32_t middle = low + (high - low) / 2;
            if (entry(*next, middle).offset <= address - next->begin)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == 0) continue;
        const LineEntry line = entry(*next, low - 1);
        const std::uint64_t start = std::uint64_t{next->begin} + line.offset;
        if (found && start <= bestStart) continue;
        found = true;
        bestStart = start;
        best = {next->file, line.hidden() ? 0 : line.line()};
    }
    return best;
}

std::uint32_t ObjectSymbols::nextLineStart(std::uint32_t address) const {
    std::uint32_t nearest = UINT32_MAX;
    auto block = std::ranges::upper_bound(blocks_, address, {}, &LineBlock::begin);
    while (block != blocks_.begin()) {
        --block;
        if (address - block->begin >= longestBlock_) break;
        if (address >= block->end) continue;
        nearest = std::min(nearest, block->end);
        std::uint32_t low = 0, high = block->count;
        while (low < high) {
            const std::uint32_t middle = low + (high - low) / 2;
            if (entry(*block, middle).offset <= address - block->begin)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < block->count)
            nearest = std::min(nearest, block->begin + entry(*block, low).offset);
    }
    return nearest;
}

void ObjectSymbols::lines(
    const std::function<void(std::uint32_t address, SourceLine)>& visit) const {
    for (const LineBlock& block : blocks_) {
        for (std::uint32_t i = 0; i < block.count; ++i) {
            const LineEntry line = entry(block, i);
            visit(block.begin + line.offset, {block.file, line.hidden() ? 0 : line.line()});
        }
    }
}

std::optional<ObjectSymbols::FileInfo> ObjectSymbols::file(std::uint32_t number) const {
    Cursor cursor(checksums_.slice(number));
    const auto header = cursor.structure<Checksum>();
    if (!cursor.ok()) return std::nullopt;
    return FileInfo{header.name, header.kind, cursor.bytes(header.size)};
}

const ObjectSymbols::InlineeLine* ObjectSymbols::inlinee(std::uint32_t id) const {
    const auto found = std::ranges::lower_bound(inlinees_, id, {}, &InlineeLine::id);
    return found != inlinees_.end() && found->id == id ? &*found : nullptr;
}

}  // namespace icecore::pdb
