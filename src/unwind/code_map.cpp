#include "unwind/code_map.h"

#include <array>

#include "unwind/image_memory.h"

namespace icecore {

namespace {
/// Without symbols a function is taken to be no longer than this.
constexpr std::uint64_t nearFunction = 4096;
}  // namespace

CodeMap::CodeMap(const Process& process, const Symbolizer& symbolizer)
    : process_(process), symbolizer_(symbolizer), memory_(imageBackedMemory(process, symbolizer)) {}

CodeMap::Executable CodeMap::executable(std::uint64_t address) const {
    if (const Region* region = process_.regionAt(address))
        return region->protection.execute ? Executable::yes : Executable::no;
    if (process_.regions.coverage == Coverage::complete) return Executable::no;
    if (process_.moduleAt(address) != nullptr) return Executable::yes;
    // The zero page is never mapped.
    return address < archInfo(process_.system.arch).pageSize ? Executable::no : Executable::unknown;
}

std::optional<CallSite> CodeMap::callBefore(Arch arch, std::uint64_t address) const {
    if (address < maxCallSize || executable(address - 1) != Executable::yes) return std::nullopt;
    std::array<std::byte, maxCallSize> bytes;
    if (read(address - maxCallSize, bytes) == maxCallSize)
        return callEndingAt(arch, address, bytes);
    // Near the start of what is readable: as much as there is.
    for (std::size_t size = maxCallSize - 1; size >= 2; --size) {
        const auto part = std::span(bytes).first(size);
        if (read(address - size, part) == size) return callEndingAt(arch, address, part);
    }
    return std::nullopt;
}

std::optional<std::uint64_t> CodeMap::functionStart(std::uint64_t address) const {
    const auto symbol = symbolizer_.nearestSymbol(address);
    if (!symbol || !symbol->function || symbol->address > address) return std::nullopt;
    if (symbol->size != 0 && address - symbol->address >= symbol->size) return std::nullopt;
    return symbol->address;
}

bool CodeMap::jumpsOn(Arch arch, std::uint64_t address) const {
    std::array<std::byte, 16> bytes{};
    const std::size_t count = read(address, bytes);
    if (arch == Arch::arm64) {
        // A PLT entry begins with ADRP x16 or BTI c; a veneer with B.
        if (count < 4) return false;
        const auto word = loadInteger<std::uint32_t>(bytes.data());
        return (word & 0x9f00001fU) == 0x90000010U || word == 0xd503245fU ||
               (word & 0xfc000000U) == 0x14000000U;
    }
    const auto at = [&](std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); };
    if (count < 16) return false;
    std::size_t i = 0;
    if (at(0) == 0xf3 && at(1) == 0x0f && at(2) == 0x1e && at(3) == 0xfa) i = 4;  // endbr64
    if (at(i) == 0xf2) ++i;                                                       // bnd
    if (at(i) == 0x68) return true;                      // push index; jmp to the resolver
    if (at(i) == 0xe9 || at(i) == 0xeb) return true;     // jmp
    return at(i) == 0xff && (at(i + 1) >> 3 & 7U) == 4;  // jmp through memory or register
}

CodeMap::Leads CodeMap::leadsTo(Arch arch, const CallSite& call, std::uint64_t pc) const {
    if (!call.target) return Leads::perhaps;
    if (executable(*call.target) != Executable::yes) return Leads::no;
    if (const auto start = functionStart(pc)) {
        if (*call.target == *start) return Leads::surely;
    } else if (*call.target <= pc && pc - *call.target < nearFunction &&
               functionStart(*call.target).value_or(*call.target) == *call.target) {
        return Leads::surely;
    }
    return jumpsOn(arch, *call.target) ? Leads::perhaps : Leads::no;
}

}  // namespace icecore
