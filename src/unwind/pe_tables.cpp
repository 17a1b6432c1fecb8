#include "unwind/pe_tables.h"

#include "bytes/endian.h"

namespace icecore {

namespace {

constexpr std::size_t x64Entry = 12;   // begin, end, unwind information
constexpr std::size_t arm64Entry = 8;  // begin, unwind information or packed data

std::uint32_t word(ByteView entries, std::size_t index, std::size_t size, std::size_t field) {
    return loadInteger<std::uint32_t>(entries.data() + index * size + field * 4);
}

/// The last entry that begins at or below `address`, or nothing. The entries are sorted.
std::optional<std::size_t> lastBelow(ByteView entries, std::size_t size, std::uint64_t address) {
    std::size_t low = 0;
    std::size_t high = entries.size() / size;
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (word(entries, middle, size, 0) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? std::nullopt : std::optional(low - 1);
}

}  // namespace

std::optional<PeTables::Table> PeTables::tableOf(std::uint64_t address,
                                                 std::size_t entrySize) const {
    for (const DynamicFunctionTable& dynamic : process_.functionTables) {
        if (dynamic.range.contains(address) && dynamic.entrySize == entrySize &&
            address >= dynamic.base)
            return Table{dynamic.base, ByteView(dynamic.entries.span())};
    }
    const Module* module = process_.moduleAt(address);
    if (module == nullptr) return std::nullopt;
    Slot& slot = slots_[static_cast<std::size_t>(module - process_.modules.items.data())];
    std::call_once(slot.once, [&] {
        // A file used in spite of a mismatch may name functions; it must not unwind stacks.
        const ModuleSymbols& symbols = symbolizer_.module(*module);
        if (symbols.forced || symbols.peImage == nullptr) return;
        slot.image = symbols.peImage;
        slot.table = {module->range.begin(), slot.image->functionTable()};
    });
    const Arch arch = entrySize == x64Entry ? Arch::x86_64 : Arch::arm64;
    if (slot.image == nullptr || slot.image->arch() != arch) return std::nullopt;
    // Of an image without a table every function is a leaf; of one whose table was not captured
    // nothing is known.
    if (slot.table.entries.empty()) return std::nullopt;
    return slot.table;
}

PeTables::Found PeTables::findX64(std::uint64_t address) const {
    const auto table = tableOf(address, x64Entry);
    if (!table) return {};
    Found found{std::nullopt, true};
    const std::uint64_t own = address - table->base;
    const auto index = lastBelow(table->entries, x64Entry, own);
    if (!index) return found;
    const PeFunction function{table->base, word(table->entries, *index, x64Entry, 0),
                              word(table->entries, *index, x64Entry, 1),
                              word(table->entries, *index, x64Entry, 2)};
    if (own < function.end) found.function = function;
    return found;
}

PeTables::Found PeTables::findArm64(std::uint64_t address) const {
    const auto table = tableOf(address, arm64Entry);
    if (!table) return {};
    Found found{std::nullopt, true};
    const auto index = lastBelow(table->entries, arm64Entry, address - table->base);
    if (!index) return found;
    found.function = PeFunction{table->base, word(table->entries, *index, arm64Entry, 0), 0,
                                word(table->entries, *index, arm64Entry, 1)};
    return found;
}

}  // namespace icecore
