#include "arch/registers.h"

#include "base/text.h"

namespace icecore {

namespace {

// DWARF numbers: System V ABI AMD64 supplement, figure 3.36.
constexpr std::array<RegisterInfo, x64::count> x64Registers = {{
    {"rax", 8, 0},      {"rbx", 8, 3},       {"rcx", 8, 2},     {"rdx", 8, 1},  {"rsi", 8, 4},
    {"rdi", 8, 5},      {"rbp", 8, 6},       {"rsp", 8, 7},     {"r8", 8, 8},   {"r9", 8, 9},
    {"r10", 8, 10},     {"r11", 8, 11},      {"r12", 8, 12},    {"r13", 8, 13}, {"r14", 8, 14},
    {"r15", 8, 15},     {"rip", 8, 16},      {"eflags", 4, 49}, {"cs", 2, 51},  {"ss", 2, 52},
    {"ds", 2, 53},      {"es", 2, 50},       {"fs", 2, 54},     {"gs", 2, 55},  {"fs_base", 8, 58},
    {"gs_base", 8, 59}, {"orig_rax", 8, -1}, {"dr0", 8, -1},    {"dr1", 8, -1}, {"dr2", 8, -1},
    {"dr3", 8, -1},     {"dr6", 8, -1},      {"dr7", 8, -1},
}};
constexpr std::array<RegisterId, 6> x64CalleeSaved = {x64::rbx, x64::rbp, x64::r12,
                                                      x64::r13, x64::r14, x64::r15};

// DWARF numbers: System V ABI Intel386 supplement, table 2.14.
constexpr std::array<RegisterInfo, x86::count> x86Registers = {{
    {"eax", 4, 0},  {"ebx", 4, 3},       {"ecx", 4, 1},  {"edx", 4, 2},  {"esi", 4, 6},
    {"edi", 4, 7},  {"ebp", 4, 5},       {"esp", 4, 4},  {"eip", 4, 8},  {"eflags", 4, 9},
    {"cs", 2, 41},  {"ss", 2, 42},       {"ds", 2, 43},  {"es", 2, 40},  {"fs", 2, 44},
    {"gs", 2, 45},  {"orig_eax", 4, -1}, {"dr0", 4, -1}, {"dr1", 4, -1}, {"dr2", 4, -1},
    {"dr3", 4, -1}, {"dr6", 4, -1},      {"dr7", 4, -1},
}};
// learn.microsoft.com/cpp/build/x64-calling-convention: rdi and rsi, too.
constexpr std::array<RegisterId, 8> x64CalleeSavedOnWindows = {
    x64::rbx, x64::rbp, x64::rdi, x64::rsi, x64::r12, x64::r13, x64::r14, x64::r15};
constexpr std::array<RegisterId, 4> x86CalleeSaved = {x86::ebx, x86::ebp, x86::esi, x86::edi};

// DWARF for the Arm 64-bit Architecture (AADWARF64), table 1.
constexpr std::array<RegisterInfo, arm64::count> arm64Registers = {{
    {"x0", 8, 0},   {"x1", 8, 1},   {"x2", 8, 2},   {"x3", 8, 3},    {"x4", 8, 4},
    {"x5", 8, 5},   {"x6", 8, 6},   {"x7", 8, 7},   {"x8", 8, 8},    {"x9", 8, 9},
    {"x10", 8, 10}, {"x11", 8, 11}, {"x12", 8, 12}, {"x13", 8, 13},  {"x14", 8, 14},
    {"x15", 8, 15}, {"x16", 8, 16}, {"x17", 8, 17}, {"x18", 8, 18},  {"x19", 8, 19},
    {"x20", 8, 20}, {"x21", 8, 21}, {"x22", 8, 22}, {"x23", 8, 23},  {"x24", 8, 24},
    {"x25", 8, 25}, {"x26", 8, 26}, {"x27", 8, 27}, {"x28", 8, 28},  {"fp", 8, 29},
    {"lr", 8, 30},  {"sp", 8, 31},  {"pc", 8, 32},  {"cpsr", 4, -1}, {"tpidr", 8, 36},
}};
constexpr std::array<RegisterId, 11> arm64CalleeSaved = {19, 20, 21, 22, 23,       24,
                                                         25, 26, 27, 28, arm64::fp};

constexpr std::array<RegisterInfo, arm::count> armRegisters = {{
    {"r0", 4, 0},
    {"r1", 4, 1},
    {"r2", 4, 2},
    {"r3", 4, 3},
    {"r4", 4, 4},
    {"r5", 4, 5},
    {"r6", 4, 6},
    {"r7", 4, 7},
    {"r8", 4, 8},
    {"r9", 4, 9},
    {"r10", 4, 10},
    {"r11", 4, 11},
    {"r12", 4, 12},
    {"sp", 4, 13},
    {"lr", 4, 14},
    {"pc", 4, 15},
    {"cpsr", 4, -1},
}};
constexpr std::array<RegisterId, 8> armCalleeSaved = {4, 5, 6, 7, 8, 9, 10, 11};

static_assert(x64::count <= Registers::capacity && arm64::count <= Registers::capacity);

const std::array<ArchInfo, 5> table = {{
    {Arch::unknown, "unknown", 8, 4096, 0, 0, 0, std::nullopt, {}, {}, {}, 1, 0, 64},
    {Arch::x86, "x86", 4, 4096, x86::eip, x86::esp, x86::ebp, std::nullopt, x86Registers,
     x86CalleeSaved, x86CalleeSaved, 1, 0, 32},
    {Arch::x86_64, "x86_64", 8, 4096, x64::rip, x64::rsp, x64::rbp, std::nullopt, x64Registers,
     x64CalleeSaved, x64CalleeSavedOnWindows, 1, 128, 48},
    {Arch::arm, "arm", 4, 4096, arm::pc, arm::sp, arm::r11, arm::lr, armRegisters, armCalleeSaved,
     armCalleeSaved, 2, 0, 32},
    {Arch::arm64, "arm64", 8, 4096, arm64::pc, arm64::sp, arm64::fp, arm64::lr, arm64Registers,
     arm64CalleeSaved, arm64CalleeSaved, 4, 0, 64},
}};

}  // namespace

const ArchInfo& archInfo(Arch arch) {
    return table[static_cast<std::size_t>(arch)];
}

std::string_view toString(Arch arch) {
    return archInfo(arch).name;
}

std::optional<RegisterId> registerByName(Arch arch, std::string_view name) {
    const auto registers = archInfo(arch).registers;
    for (std::size_t i = 0; i < registers.size(); ++i) {
        if (equalsIgnoreCase(registers[i].name, name)) return static_cast<RegisterId>(i);
    }
    // Names people also use.
    if (arch == Arch::x86_64 && equalsIgnoreCase(name, "efl")) return x64::eflags;
    if (arch == Arch::x86 && equalsIgnoreCase(name, "efl")) return x86::eflags;
    if (arch == Arch::arm64 && equalsIgnoreCase(name, "x29")) return arm64::fp;
    if (arch == Arch::arm64 && equalsIgnoreCase(name, "x30")) return arm64::lr;
    return std::nullopt;
}

std::optional<RegisterId> registerByDwarf(Arch arch, std::uint64_t number) {
    if (number > INT16_MAX) return std::nullopt;
    const auto registers = archInfo(arch).registers;
    for (std::size_t i = 0; i < registers.size(); ++i) {
        if (registers[i].dwarf == static_cast<std::int16_t>(number))
            return static_cast<RegisterId>(i);
    }
    return std::nullopt;
}

std::uint64_t stripPointer(Arch arch, std::uint64_t pointer) {
    if (arch != Arch::arm64) return pointer;
    // User space has 48 address bits unless LVA is on (52); PAC and TBI use the bits above.
    constexpr std::uint64_t mask = (std::uint64_t{1} << 48) - 1;
    const bool kernelHalf = (pointer >> 55 & 1U) != 0;
    return kernelHalf ? pointer | ~mask : pointer & mask;
}

bool isCanonical(Arch arch, std::uint64_t address) {
    const unsigned bits = archInfo(arch).canonicalBits;
    if (bits >= 64) return true;
    if (bits == 32) return address <= UINT32_MAX;
    const std::uint64_t upper = address >> (bits - 1);
    return upper == 0 || upper == (std::uint64_t{1} << (65 - bits)) - 1;
}

}  // namespace icecore
