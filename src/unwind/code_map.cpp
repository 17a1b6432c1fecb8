#include "unwind/code_map.h"

#include <algorithm>
#include <array>

#include "bytes/elf_layout.h"
#include "images/pe_layout.h"
#include "unwind/image_memory.h"

namespace icecore {

namespace {
/// Without symbols a function is taken to be no longer than this.
constexpr std::uint64_t nearFunction = 4096;
constexpr std::uint32_t executableFlag = 1;  // PF_X
}  // namespace

CodeMap::CodeMap(const Process& process, const Symbolizer& symbolizer)
    : process_(process),
      symbolizer_(symbolizer),
      memory_(imageBackedMemory(process, symbolizer)),
      moduleCode_(std::make_unique<ModuleCode[]>(process.modules.size())) {}

CodeMap::Executable CodeMap::inModuleCode(const Module& module, std::uint64_t address) const {
    const auto index = static_cast<std::size_t>(&module - process_.modules.items.data());
    ModuleCode& code = moduleCode_[index];
    std::call_once(code.once, [&] {
        const ModuleSymbols& symbols = symbolizer_.module(module);
        if (const auto& image = symbols.peImage) {
            for (const PeSection& section : image->sections()) {
                if ((section.characteristics & pe::sectionExecute) == 0) continue;
                code.ranges.push_back(
                    Range::ofSize(module.range.begin() + section.address,
                                  std::max(section.virtualSize, section.fileSize)));
            }
            code.known = true;
            return;
        }
        const auto& image = symbols.image;
        if (image == nullptr) return;
        const std::uint64_t bias = module.bias.value_or(module.range.begin() - image->imageBase());
        for (const ElfSegment& segment : image->segments()) {
            if (segment.type != elf::segmentLoad || (segment.flags & executableFlag) == 0) continue;
            code.ranges.push_back(Range::ofSize(segment.address + bias, segment.memorySize));
        }
        code.known = !image->segments().empty();
    });
    if (!code.known) return Executable::unknown;
    const bool inside = std::ranges::any_of(
        code.ranges, [&](const Range& range) { return range.contains(address); });
    return inside ? Executable::yes : Executable::no;
}

CodeMap::Executable CodeMap::executable(std::uint64_t address) const {
    const Region* region = process_.regionAt(address);
    if (region != nullptr && region->protection.execute) return Executable::yes;
    const bool told = region != nullptr && (region->protection.read || region->protection.write);
    if (told) return Executable::no;
    if (const Module* module = process_.moduleAt(address)) return inModuleCode(*module, address);
    if (region != nullptr || process_.regions.coverage == Coverage::complete) return Executable::no;
    // The zero page is never mapped.
    return address < archInfo(process_.system.arch).pageSize ? Executable::no : Executable::unknown;
}

bool CodeMap::mayBeCode(std::uint64_t address) const {
    const Executable known = executable(address);
    // Windows' dumps hold the bytes around each thread's instruction, and often nothing that tells
    // what the sections of the module are.
    return known == Executable::yes ||
           (known == Executable::unknown && process_.moduleAt(address) != nullptr);
}

std::optional<CallSite> CodeMap::callBefore(Arch arch, std::uint64_t address) const {
    if (address < maxCallSize || !mayBeCode(address - 1)) return std::nullopt;
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

bool CodeMap::surelyNotCalled(Arch arch, std::uint64_t address) const {
    std::array<std::byte, maxCallSize> bytes;
    return address >= maxCallSize && read(address - maxCallSize, bytes) == maxCallSize &&
           !callEndingAt(arch, address, bytes);
}

std::optional<std::uint64_t> CodeMap::functionStart(std::uint64_t address) const {
    const auto symbol = symbolizer_.nearestSymbol(address);
    if (!symbol || !symbol->function || symbol->address > address) return std::nullopt;
    // The compiler's cold half of a function is jumped to, never called.
    if (symbol->name.find(".cold") != std::string::npos) return std::nullopt;
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
    if (!mayBeCode(*call.target)) return Leads::no;
    if (const auto start = functionStart(pc)) {
        if (*call.target == *start) return Leads::surely;
    } else if (*call.target <= pc && pc - *call.target < nearFunction &&
               functionStart(*call.target).value_or(*call.target) == *call.target) {
        return Leads::surely;
    }
    return jumpsOn(arch, *call.target) ? Leads::perhaps : Leads::no;
}

}  // namespace icecore
