#include "symbols/breakpad/sym_file.h"

#include <algorithm>

#include "base/range.h"
#include "base/text.h"
#include "symbols/demangle.h"

namespace icecore {

namespace {

/// Takes words off a line.
class Words {
public:
    explicit Words(std::string_view line) : rest_(line) {}
    std::string_view next() {
        rest_ = trim(rest_);
        const std::size_t end = std::min(rest_.find(' '), rest_.size());
        const std::string_view word = rest_.substr(0, end);
        rest_.remove_prefix(end);
        return word;
    }
    std::optional<std::uint64_t> hexadecimal() { return parseHex(next()); }
    std::optional<std::uint64_t> decimal() { return parseDecimal(next()); }
    [[nodiscard]] std::string_view rest() const { return trim(rest_); }

private:
    std::string_view rest_;
};

bool isHexDigit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

struct LineRecord {
    std::uint64_t address = 0, size = 0, line = 0, file = 0;
};

std::optional<LineRecord> readLineRecord(std::string_view text) {
    Words words(text);
    const auto address = words.hexadecimal(), size = words.hexadecimal();
    const auto line = words.decimal(), file = words.decimal();
    if (!address || !size || !line || !file) return std::nullopt;
    return LineRecord{*address, *size, *line, *file};
}

/// A call that was compiled inline: where it was called, and which function.
struct InlineRecord {
    std::uint64_t depth = 0, callLine = 0, callFile = 0, origin = 0;
    std::uint64_t begin = 0;  ///< of the range that contains the address
};

std::optional<InlineRecord> readInline(std::string_view text, std::uint64_t address) {
    Words words(text);
    (void)words.next();
    const auto depth = words.decimal(), line = words.decimal(), file = words.decimal(),
               origin = words.decimal();
    if (!depth || !line || !file || !origin) return std::nullopt;
    while (!words.rest().empty()) {
        const auto begin = words.hexadecimal(), size = words.hexadecimal();
        if (!begin || !size) return std::nullopt;
        if (address >= *begin && address - *begin < *size)
            return InlineRecord{*depth, *line, *file, *origin, *begin};
    }
    return std::nullopt;
}

}  // namespace

bool SymFile::looksLike(const Source& source) {
    constexpr std::string_view magic = "MODULE ";
    const auto bytes = source.load(0, std::min<std::uint64_t>(source.size(), magic.size()));
    return bytes && bytes->text() == magic;
}

Result<std::shared_ptr<const SymFile>> SymFile::open(std::shared_ptr<const Source> source) {
    if (!looksLike(*source))
        return fail(Errc::malformed, "is no Breakpad symbol file", source->name());
    std::shared_ptr<SymFile> file(new SymFile);
    file->source_ = std::move(source);
    const auto bytes = file->source_->mapped();
    file->text_ = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    for (std::size_t at = 0; at < file->text_.size();) {
        const std::string_view line = file->lineAt(at);
        file->readLine(line, at);
        at += line.size() + 1;
    }
    std::ranges::stable_sort(file->functions_, {}, &Function::address);
    std::ranges::stable_sort(file->cfi_, {}, &Stack::address);
    std::ranges::stable_sort(file->win_, {}, &Stack::address);
    return file;
}

/// With its carriage return, without its end.
std::string_view SymFile::lineAt(std::size_t at) const {
    const std::string_view rest = text_.substr(std::min(at, text_.size()));
    return rest.substr(0, std::min(rest.find('\n'), rest.size()));
}

void SymFile::readNumbered(std::string_view rest, std::vector<std::string_view>& table) {
    Words words(rest);
    const auto number = words.decimal();
    // A record takes some bytes of the file: no number is larger than there are bytes.
    if (!number || *number > text_.size() / 8) {
        ++damaged_;
        return;
    }
    if (table.size() <= *number) table.resize(*number + 1);
    table[*number] = words.rest();
}

void SymFile::readLine(std::string_view line, std::size_t at) {
    if (line.empty() || isHexDigit(line.front())) {
        // A line of a function; FILE and FUNC begin with a digit's letter too.
        if (!line.starts_with("FILE ") && !line.starts_with("FUNC ")) return;
    }
    Words words(line);
    const std::string_view kind = words.next();
    if (kind == "FUNC" || kind == "PUBLIC") {
        const bool isPublic = kind == "PUBLIC";
        std::string_view word = words.next();
        if (word == "m") word = words.next();  // several functions share the address
        const auto address = parseHex(word);
        const auto size = isPublic ? std::optional<std::uint64_t>(0) : words.hexadecimal();
        const auto parameters = words.hexadecimal();
        if (!address || !size || !parameters) {
            ++damaged_;
            return;
        }
        functions_.push_back({*address, *size, at + line.size() + 1, words.rest(), isPublic});
    } else if (kind == "FILE") {
        readNumbered(words.rest(), files_);
    } else if (kind == "INLINE_ORIGIN") {
        readNumbered(words.rest(), origins_);
    } else if (kind == "MODULE") {
        os_ = words.next();
        arch_ = words.next();
        id_ = words.next();
        debugFile_ = words.rest();
    } else if (kind == "STACK") {
        const std::string_view table = words.next();
        // "STACK CFI INIT address size …", "STACK WIN type address size …"
        if (table == "CFI") {
            if (words.next() != "INIT") return;  // belongs to the one before it
        } else if (table == "WIN") {
            (void)words.next();
        } else {
            return;
        }
        const auto address = words.hexadecimal(), size = words.hexadecimal();
        if (!address || !size) {
            ++damaged_;
            return;
        }
        (table == "CFI" ? cfi_ : win_).push_back({*address, *size, at});
    }
}

const SymFile::Function* SymFile::functionAt(std::uint64_t address) const {
    auto next = std::ranges::upper_bound(functions_, address, {}, &Function::address);
    // A public name stands for what is behind it, but not beyond a function with a size.
    const Function* named = nullptr;
    constexpr int fewNames = 64;
    for (int i = 0; i < fewNames && next != functions_.begin(); ++i) {
        --next;
        if (next->isPublic) {
            if (named == nullptr) named = &*next;
            continue;
        }
        if (address - next->address < next->size) return &*next;
        break;
    }
    if (named != nullptr && next != functions_.end() && !next->isPublic &&
        next->address + next->size > named->address)
        return nullptr;
    return named;
}

std::string SymFile::readable(std::string_view name) {
    return name.starts_with("_Z") ? functionName(name) : withoutParameters(name);
}

std::string SymFile::fileName(std::uint64_t number) const {
    return number < files_.size() ? std::string(files_[number]) : std::string();
}

ModuleReader::Located SymFile::locate(std::uint64_t address, bool isReturnAddress) const {
    const std::uint64_t lookUp = isReturnAddress && address != 0 ? address - 1 : address;
    ModuleReader::Located located;
    const Function* function = functionAt(lookUp);
    if (function == nullptr) return located;
    located.kind = SymbolKind::symtab;
    std::optional<LineRecord> line;
    std::vector<InlineRecord> inlined;
    for (std::size_t at = function->body; !function->isPublic && at < text_.size();) {
        const std::string_view text = lineAt(at);
        at += text.size() + 1;
        if (text.starts_with("INLINE ")) {
            if (const auto call = readInline(text, lookUp)) inlined.push_back(*call);
            continue;
        }
        if (text.empty() || !isHexDigit(text.front()) || text.starts_with("FUNC ") ||
            text.starts_with("FILE "))
            break;
        const auto record = readLineRecord(text);
        if (record && lookUp >= record->address && lookUp - record->address < record->size)
            line = record;
    }
    // The innermost call has the line at the address; each further out the line of the call.
    std::ranges::stable_sort(inlined, std::greater{}, &InlineRecord::depth);
    std::uint64_t lineNumber = line ? line->line : 0, file = line ? line->file : 0;
    const auto add = [&](std::string name, std::uint64_t begin, bool isInlined) {
        SymbolFrame frame;
        frame.function = std::move(name);
        frame.functionOffset = address - begin;
        frame.line = static_cast<std::uint32_t>(lineNumber);
        if (frame.line != 0) frame.file = fileName(file);
        frame.inlined = isInlined;
        located.frames.push_back(std::move(frame));
    };
    for (const InlineRecord& call : inlined) {
        add(call.origin < origins_.size() ? readable(origins_[call.origin]) : std::string(),
            call.begin, true);
        lineNumber = call.callLine;
        file = call.callFile;
    }
    add(readable(function->name), function->address, false);
    return located;
}

std::optional<ModuleReader::Named> SymFile::nearest(std::uint64_t address) const {
    const Function* function = functionAt(address);
    if (function == nullptr) return std::nullopt;
    return ModuleReader::Named{readable(function->name), function->address, function->size, true};
}

void SymFile::find(std::string_view pattern, std::size_t limit,
                   std::vector<ModuleReader::Named>& out) const {
    for (const Function& function : functions_) {
        if (out.size() >= limit) return;
        std::string name = readable(function.name);
        if (matchesWildcard(name, pattern))
            out.push_back({std::move(name), function.address, function.size, true});
    }
}

std::optional<ModuleReader::Named> SymFile::byName(std::string_view name) const {
    for (const Function& function : functions_) {
        if (function.name == name || readable(function.name) == name)
            return ModuleReader::Named{readable(function.name), function.address, function.size,
                                       true};
    }
    return std::nullopt;
}

std::optional<RegisterPrograms> SymFile::cfiAt(std::uint64_t address) const {
    const auto next = std::ranges::upper_bound(cfi_, address, {}, &Stack::address);
    if (next == cfi_.begin()) return std::nullopt;
    const Stack& stack = *(next - 1);
    if (address - stack.address >= stack.size) return std::nullopt;
    RegisterPrograms cfi{stack.address, stack.size, {}};
    // ".cfa: $rsp 8 + .ra: .cfa -8 + ^": a word that ends in a colon begins a rule.
    const auto addRules = [&](std::string_view text) {
        std::pair<std::string, std::string>* current = nullptr;
        for (Words words(text); !words.rest().empty();) {
            const std::string_view word = words.next();
            if (word.ends_with(':')) {
                const std::string_view name = word.substr(0, word.size() - 1);
                const auto known =
                    std::ranges::find(cfi.rules, name, &std::pair<std::string, std::string>::first);
                if (known != cfi.rules.end()) {
                    known->second.clear();
                    current = &*known;
                } else {
                    current = &cfi.rules.emplace_back(std::string(name), std::string());
                }
            } else if (current != nullptr) {
                if (!current->second.empty()) current->second += ' ';
                current->second += word;
            }
        }
    };
    std::size_t at = stack.line;
    std::string_view line = lineAt(at);
    Words first(line);
    for (int i = 0; i < 5; ++i)  // STACK CFI INIT address size
        (void)first.next();
    addRules(first.rest());
    for (at += line.size() + 1; at < text_.size(); at += line.size() + 1) {
        line = lineAt(at);
        Words words(line);
        if (words.next() != "STACK" || words.next() != "CFI") break;
        const auto from = words.hexadecimal();
        if (!from || *from > address) break;
        addRules(words.rest());
    }
    return cfi;
}

std::optional<FrameLayout> SymFile::stackWinAt(std::uint64_t address) const {
    auto next = std::ranges::upper_bound(win_, address, {}, &Stack::address);
    std::optional<FrameLayout> best;
    constexpr int fewNested = 32;
    for (int i = 0; i < fewNested && next != win_.begin(); ++i) {
        --next;
        if (address - next->address >= next->size) continue;
        Words words(lineAt(next->line));
        (void)words.next();
        (void)words.next();
        const auto type = words.hexadecimal();
        FrameLayout found;
        found.begin = words.hexadecimal().value_or(0);
        found.size = words.hexadecimal().value_or(0);
        for (std::uint32_t* field : {&found.prologue, &found.epilogue, &found.parameters,
                                     &found.savedRegisters, &found.locals})
            *field = static_cast<std::uint32_t>(words.hexadecimal().value_or(0));
        (void)words.next();  // maximal stack
        const bool hasProgram = words.next() == "1";
        constexpr std::uint64_t frameData = 4, fpo = 0;
        if (hasProgram)
            found.program = words.rest();
        else
            found.usesBasePointer = words.next() == "1";
        // The newer table is the better one where both speak of an address.
        if (type == frameData) return found;
        if (type == fpo && !best) best = std::move(found);
    }
    return best;
}

BreakpadSymbols::BreakpadSymbols(std::shared_ptr<const SymFile> file, std::uint64_t base)
    : file_(std::move(file)), base_(base) {
    info_.kind = SymbolKind::symtab;
    info_.debugPath = file_->name();
}

}  // namespace icecore
