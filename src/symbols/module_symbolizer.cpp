#include "symbols/module_symbolizer.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "symbols/demangle.h"
#include "symbols/dwarf/types.h"
#include "symbols/dwarf_info.h"

namespace icecore {

namespace {

bool isMangled(std::string_view name) {
    return name.starts_with("_Z") || name.starts_with("___Z");
}

bool isIdentifier(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// The longest run of letters in a pattern that must stand in a mangled name too, so that a table
/// of 400 000 names is not demangled to look for one. Empty when there is none to rely on: mangling
/// abbreviates what the standard library is made of and spells operators and built-in types.
std::string_view tellingPart(std::string_view pattern) {
    std::string_view best;
    for (std::size_t i = 0; i < pattern.size();) {
        if (!isIdentifier(pattern[i])) {
            ++i;
            continue;
        }
        std::size_t end = i;
        while (end < pattern.size() && isIdentifier(pattern[end]))
            ++end;
        if (end - i > best.size()) best = pattern.substr(i, end - i);
        i = end;
    }
    constexpr std::array<std::string_view, 6> abbreviated = {"std",    "allocator", "string",
                                                             "stream", "operator",  "anonymous"};
    constexpr std::array<std::string_view, 10> spelt = {
        "unsigned", "signed", "long", "short", "bool", "char", "float", "double", "const", "void"};
    const std::string lower = toLower(best);
    const auto inside = [&](std::string_view word) {
        return word.contains(lower) || lower.contains(word);
    };
    if (best.size() < 4 || std::ranges::any_of(abbreviated, inside) ||
        std::ranges::any_of(spelt, inside))
        return {};
    return best;
}

bool containsIgnoringCase(std::string_view text, std::string_view part) {
    const auto same = [](char a, char b) {
        const auto lower = [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        };
        return lower(a) == lower(b);
    };
    return std::ranges::search(text, part, same).begin() != text.end() || part.empty();
}

}  // namespace

ModuleSymbolizer::ModuleSymbolizer(ModuleFiles files) : files_(std::move(files)) {}
ModuleSymbolizer::~ModuleSymbolizer() = default;

const SymbolTable& ModuleSymbolizer::table() const {
    std::call_once(tableOnce_,
                   [&] { table_ = std::make_unique<SymbolTable>(files_.symbolImages); });
    return *table_;
}

const DwarfInfo* ModuleSymbolizer::dwarf() const {
    if (!files_.debugImage) return nullptr;
    std::call_once(dwarfOnce_, [&] {
        const auto opener =
            [](const std::filesystem::path& path) -> std::shared_ptr<const ElfImage> {
            auto source = openMappedFile(path);
            if (!source) return nullptr;
            auto image = ElfImage::open(std::move(*source));
            return image ? *image : nullptr;
        };
        dwarf_ = std::make_unique<DwarfInfo>(files_.debugImage, opener);
    });
    return dwarf_.get();
}

const TypeSource* ModuleSymbolizer::types() const {
    const DwarfInfo* info = dwarf();
    if (info == nullptr) return nullptr;
    std::call_once(typesOnce_, [&] {
        types_ = std::make_unique<dwarf::DwarfTypes>(info->data(), files_.debugImage->arch());
    });
    return types_.get();
}

SymbolKind ModuleSymbolizer::tableKind() const {
    if (files_.info.kind == SymbolKind::mismatch) return SymbolKind::exported;
    return table().full() ? SymbolKind::symtab : SymbolKind::exported;
}

ModuleSymbolizer::Named ModuleSymbolizer::named(const SymbolTable::Entry& entry) const {
    const SymbolTable& symbols = table();
    const std::string_view raw = symbols.name(entry);
    return {entry.code ? functionName(raw) : demangle(raw), entry.address,
            symbols.endOf(entry) - entry.address, entry.code};
}

ModuleSymbolizer::Located ModuleSymbolizer::locate(std::uint64_t address,
                                                   bool isReturnAddress) const {
    const std::uint64_t lookUp = isReturnAddress && address != 0 ? address - 1 : address;
    Located located;
    std::vector<DwarfFrame> dwarfFrames;
    if (const DwarfInfo* info = dwarf()) dwarfFrames = info->lookUp(lookUp);
    if (!dwarfFrames.empty()) located.kind = SymbolKind::dwarf;

    for (std::size_t i = 0; i < dwarfFrames.size(); ++i) {
        DwarfFrame& from = dwarfFrames[i];
        SymbolFrame frame;
        frame.file = std::move(from.file);
        frame.line = from.line;
        frame.inlined = from.inlined;
        frame.function =
            from.linkageName.empty() ? std::move(from.name) : functionName(from.linkageName);
        const bool elsewhere = lookUp < from.entry || from.rangeLow != from.entry;
        frame.functionOffset = address - (elsewhere ? from.rangeLow : from.entry);
        // A cold part moved away from its function has a symbol of its own, whose offset means
        // something; and debug information without linkage names (-g1) lacks the scopes.
        const bool physical = i + 1 == dwarfFrames.size();
        const bool unsure = frame.function.empty() || elsewhere || from.linkageName.empty();
        if (physical && unsure) {
            const SymbolTable::Entry* entry = table().at(lookUp, true);
            const bool better =
                entry != nullptr &&
                (frame.function.empty() || (elsewhere && entry->address >= from.rangeLow) ||
                 (entry->address == from.entry && isMangled(table().name(*entry))));
            if (better) {
                frame.function = functionName(table().name(*entry));
                frame.functionOffset = address - entry->address;
            }
        }
        located.frames.push_back(std::move(frame));
    }
    if (!located.frames.empty()) return located;

    if (const auto symbol = nearest(lookUp); symbol && symbol->function) {
        SymbolFrame frame;
        frame.function = symbol->name;
        frame.functionOffset = address - symbol->address;
        located.frames.push_back(std::move(frame));
        located.kind = tableKind();
    }
    return located;
}

std::optional<ModuleSymbolizer::Named> ModuleSymbolizer::nearest(std::uint64_t address) const {
    if (const SymbolTable::Entry* entry = table().at(address, false)) return named(*entry);
    if (files_.info.image && !files_.info.image->fromProcessMemory()) {
        std::uint64_t start = 0;
        if (auto stub = pltStubName(*files_.info.image, address, &start))
            return Named{functionName(*stub), start, 16, true};
    }
    return std::nullopt;
}

void ModuleSymbolizer::find(std::string_view pattern, std::size_t limit,
                            std::vector<Named>& out) const {
    const SymbolTable& symbols = table();
    const std::string_view telling = tellingPart(pattern);
    const SymbolTable::Entry* previous = nullptr;
    for (const SymbolTable::Entry& entry : symbols.entries()) {
        if (out.size() >= limit) return;
        const std::string_view raw = symbols.name(entry);
        if (!containsIgnoringCase(raw, telling)) continue;
        Named candidate = named(entry);
        if (!matchesWildcard(candidate.name, pattern)) continue;
        // The same function under several raw names (constructors C1 and C2, .dynsym twice).
        if (previous != nullptr && previous->address == entry.address && !out.empty() &&
            out.back().name == candidate.name)
            continue;
        previous = &entry;
        out.push_back(std::move(candidate));
    }
}

std::optional<ModuleSymbolizer::Named> ModuleSymbolizer::byName(std::string_view name) const {
    const SymbolTable& symbols = table();
    const SymbolTable::Entry* best = nullptr;
    const auto consider = [&](const SymbolTable::Entry& entry) {
        if (best == nullptr || (entry.code && !best->code)) best = &entry;
    };
    for (const SymbolTable::Entry& entry : symbols.entries()) {
        const std::string_view raw = symbols.name(entry);
        if (raw == name || (raw.starts_with(name) && raw.substr(name.size()).starts_with('@')))
            consider(entry);
    }
    if (best != nullptr) return named(*best);
    const std::string_view telling = tellingPart(name);
    for (const SymbolTable::Entry& entry : symbols.entries()) {
        const std::string_view raw = symbols.name(entry);
        if (!isMangled(raw) || raw.find(telling) == std::string_view::npos) continue;
        if (named(entry).name == name) consider(entry);
    }
    return best != nullptr ? std::optional(named(*best)) : std::nullopt;
}

}  // namespace icecore
