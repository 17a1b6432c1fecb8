#include "symbols/pdb/codeview_registers.h"

#include <array>
#include <span>

#include "images/pe_layout.h"

namespace icecore::pdb {

namespace {

/// Registers that follow one another in both numberings.
struct Run {
    std::uint16_t first, count;
    RegisterId id;
    std::uint8_t bytes, shift;
    bool vector;
};

/// The eight of x86 in the order of their encoding, which is CodeView's.
constexpr std::array<RegisterId, 8> x64Encoding = {x64::rax, x64::rcx, x64::rdx, x64::rbx,
                                                   x64::rsp, x64::rbp, x64::rsi, x64::rdi};
constexpr std::array<RegisterId, 8> x86Encoding = {x86::eax, x86::ecx, x86::edx, x86::ebx,
                                                   x86::esp, x86::ebp, x86::esi, x86::edi};

constexpr std::array<Run, 8> x64Runs = {{
    {324, 4, x64::rsi, 1, 0, false},   // sil, dil, bpl, spl
    {328, 16, x64::rax, 8, 0, false},  // rax, rbx, rcx … as ours follow one another
    {344, 8, x64::r8, 1, 0, false},
    {352, 8, x64::r8, 2, 0, false},
    {360, 8, x64::r8, 4, 0, false},
    {154, 8, 0, 16, 0, true},  // xmm0 …
    {252, 8, 8, 16, 0, true},  // xmm8 …
    {33, 1, x64::rip, 4, 0, false},
}};
static_assert(x64::rbx == x64::rax + 1 && x64::rdi == x64::rsi + 1 && x64::rsp == x64::rax + 7);
constexpr std::array<Run, 2> x86Runs = {{
    {154, 8, 0, 16, 0, true},
    {33, 1, x86::eip, 4, 0, false},
}};
constexpr std::array<Run, 7> arm64Runs = {{
    {10, 31, arm64::x0, 4, 0, false},
    {50, 31, arm64::x0, 8, 0, false},  // x0 … x28, fp, lr
    {81, 1, arm64::sp, 8, 0, false},
    {83, 1, arm64::pc, 8, 0, false},
    {100, 32, 0, 4, 0, true},
    {140, 32, 0, 8, 0, true},
    {180, 32, 0, 16, 0, true},
}};

std::optional<CodeViewRegister> find(std::span<const Run> runs, std::uint16_t number) {
    for (const Run& run : runs) {
        if (number < run.first || number >= run.first + run.count) continue;
        return CodeViewRegister{run.vector, static_cast<RegisterId>(run.id + number - run.first),
                                run.bytes, run.shift};
    }
    return std::nullopt;
}

/// Bytes, words and double words of the first eight have the same numbers on x86 and x64.
std::optional<CodeViewRegister> eight(const std::array<RegisterId, 8>& encoding,
                                      std::uint16_t number) {
    if (number >= 1 && number <= 4) return CodeViewRegister{false, encoding[number - 1U], 1, 0};
    if (number >= 5 && number <= 8) return CodeViewRegister{false, encoding[number - 5U], 1, 8};
    if (number >= 9 && number <= 16) return CodeViewRegister{false, encoding[number - 9U], 2, 0};
    if (number >= 17 && number <= 24) return CodeViewRegister{false, encoding[number - 17U], 4, 0};
    return std::nullopt;
}

}  // namespace

std::optional<CodeViewRegister> codeViewRegister(std::uint16_t machine, std::uint16_t number) {
    std::optional<CodeViewRegister> found;
    switch (machine) {
    case pe::machineX64:
        found = eight(x64Encoding, number);
        return found ? found : find(x64Runs, number);
    case pe::machineX86:
        found = eight(x86Encoding, number);
        return found ? found : find(x86Runs, number);
    case pe::machineArm64: return find(arm64Runs, number);
    default: return std::nullopt;
    }
}

}  // namespace icecore::pdb
