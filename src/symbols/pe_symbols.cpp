#include "symbols/pe_symbols.h"

#include "base/text.h"
#include "symbols/demangle.h"
#include "symbols/pdb/pdb_types.h"

namespace icecore {

namespace {

ModuleReader::Named named(const ExportTable::Entry& entry) {
    return {entry.code ? functionName(entry.name) : demangle(entry.name), entry.address,
            entry.end - entry.address, entry.code};
}

}  // namespace

PeSymbols::PeSymbols(PeFiles files) : files_(std::move(files)) {
    if (files_.pdb) types_ = std::make_unique<pdb::PdbTypes>(files_.pdb);
}

const ExportTable* PeSymbols::exports() const {
    if (!files_.info.peImage) return nullptr;
    std::call_once(exportsOnce_,
                   [&] { exports_ = std::make_unique<ExportTable>(files_.info.peImage); });
    return exports_.get();
}

ModuleReader::Located PeSymbols::locate(std::uint64_t address, bool isReturnAddress) const {
    Located located;
    if (files_.pdb) {
        if (address > UINT32_MAX) return located;
        located = files_.pdb->locate(static_cast<std::uint32_t>(address), isReturnAddress);
        if (!located.frames.empty()) return located;
    }
    if (files_.sym) {
        located = files_.sym->locate(address, isReturnAddress);
        if (!located.frames.empty()) return located;
    }
    const std::uint64_t lookUp = isReturnAddress && address != 0 ? address - 1 : address;
    const ExportTable* table = exports();
    const ExportTable::Entry* entry = table != nullptr ? table->at(lookUp) : nullptr;
    if (entry == nullptr || !entry->code) return located;
    SymbolFrame frame;
    frame.function = functionName(entry->name);
    frame.functionOffset = address - entry->address;
    frame.approximate = !table->covers(*entry, lookUp);
    located.frames.push_back(std::move(frame));
    located.kind = SymbolKind::exported;
    return located;
}

std::optional<ModuleReader::Named> PeSymbols::nearest(std::uint64_t address) const {
    if (files_.pdb && address <= UINT32_MAX) {
        if (auto found = files_.pdb->nearest(static_cast<std::uint32_t>(address))) return found;
    }
    if (files_.sym) {
        if (auto found = files_.sym->nearest(address)) return found;
    }
    const ExportTable* table = exports();
    const ExportTable::Entry* entry = table != nullptr ? table->at(address) : nullptr;
    return entry != nullptr ? std::optional(named(*entry)) : std::nullopt;
}

void PeSymbols::find(std::string_view pattern, std::size_t limit, std::vector<Named>& out) const {
    if (files_.pdb) return files_.pdb->find(pattern, limit, out);
    if (files_.sym) return files_.sym->find(pattern, limit, out);
    const ExportTable* table = exports();
    if (table == nullptr) return;
    for (const ExportTable::Entry& entry : table->entries()) {
        if (out.size() >= limit) return;
        Named candidate = named(entry);
        if (matchesWildcard(candidate.name, pattern)) out.push_back(std::move(candidate));
    }
}

std::optional<ModuleReader::Named> PeSymbols::byName(std::string_view name) const {
    if (files_.pdb) {
        if (auto found = files_.pdb->byName(name)) return found;
    }
    if (files_.sym) {
        if (auto found = files_.sym->byName(name)) return found;
    }
    const ExportTable* table = exports();
    if (table == nullptr) return std::nullopt;
    for (const ExportTable::Entry& entry : table->entries()) {
        if (entry.name == name || named(entry).name == name) return named(entry);
    }
    return std::nullopt;
}

std::optional<FrameLayout> PeSymbols::frameLayout(std::uint64_t address) const {
    if (files_.pdb && address <= UINT32_MAX)
        return files_.pdb->frameLayout(static_cast<std::uint32_t>(address));
    return files_.sym ? files_.sym->stackWinAt(address) : std::nullopt;
}

std::optional<RegisterPrograms> PeSymbols::registerPrograms(std::uint64_t address) const {
    return files_.sym ? files_.sym->cfiAt(address) : std::nullopt;
}

}  // namespace icecore
