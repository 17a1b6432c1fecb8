// CPU registers as values: which architecture, which registers are known, what they hold.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace icecore {

enum class Arch : std::uint8_t { unknown, x86, x86_64, arm, arm64 };

/// "x86_64", "arm64", "x86", "arm", "unknown".
std::string_view toString(Arch arch);

/// Index of a register within its architecture's table (ArchInfo::registers).
using RegisterId = std::uint8_t;

// The ids are stable inside one version of icecore and never stored in a file.
namespace x64 {
enum : RegisterId {
    rax,
    rbx,
    rcx,
    rdx,
    rsi,
    rdi,
    rbp,
    rsp,
    r8,
    r9,
    r10,
    r11,
    r12,
    r13,
    r14,
    r15,
    rip,
    eflags,
    cs,
    ss,
    ds,
    es,
    fs,
    gs,
    fs_base,
    gs_base,
    orig_rax,
    dr0,
    dr1,
    dr2,
    dr3,
    dr6,
    dr7,
    count
};
}
namespace x86 {
enum : RegisterId {
    eax,
    ebx,
    ecx,
    edx,
    esi,
    edi,
    ebp,
    esp,
    eip,
    eflags,
    cs,
    ss,
    ds,
    es,
    fs,
    gs,
    orig_eax,
    dr0,
    dr1,
    dr2,
    dr3,
    dr6,
    dr7,
    count
};
}
namespace arm64 {
/// x0 … x30 are 0 … 30 (x29 = fp, x30 = lr).
enum : RegisterId { x0 = 0, fp = 29, lr = 30, sp = 31, pc = 32, cpsr = 33, tpidr = 34, count };
}  // namespace arm64
namespace arm {
/// r0 … r15 are 0 … 15 (r13 = sp, r14 = lr, r15 = pc).
enum : RegisterId { r0 = 0, r7 = 7, r11 = 11, sp = 13, lr = 14, pc = 15, cpsr = 16, count };
}  // namespace arm

struct RegisterInfo {
    std::string_view name;
    std::uint8_t size;   ///< bytes
    std::int16_t dwarf;  ///< DWARF register number, -1 when it has none
};

/// What an unwinder, a writer or a view needs to know of an architecture. Everything specific to
/// one architecture is reached from here: adding one means filling in this table.
struct ArchInfo {
    Arch arch;
    std::string_view name;
    std::uint8_t pointerSize;  ///< bytes
    std::uint32_t pageSize;    ///< bytes, the smallest
    RegisterId pc, sp, fp;
    std::optional<RegisterId> lr;  ///< link register, where there is one
    std::span<const RegisterInfo> registers;
    std::span<const RegisterId> calleeSaved;  ///< preserved across calls (System V / AAPCS64)
    std::span<const RegisterId> calleeSavedOnWindows;  ///< the same of Windows' ABI
    std::uint8_t minInstructionSize;                   ///< bytes: to step back into a call
    /// How far below the stack pointer a leaf function may keep data (System V red zone).
    std::uint16_t redZone;
    /// Address bits that count, sign-extended from the highest one; 64 when all do. What lies
    /// outside is non-canonical. arm64's upper byte and PAC bits are handled by stripPointer.
    std::uint8_t canonicalBits;
};

/// The table row; the one of Arch::unknown has no registers.
const ArchInfo& archInfo(Arch arch);
/// Register by its name ("rip", "x29"; any case), or nothing.
std::optional<RegisterId> registerByName(Arch arch, std::string_view name);
/// Register by DWARF number, or nothing.
std::optional<RegisterId> registerByDwarf(Arch arch, std::uint64_t number);
/// A code pointer without authentication bits (arm64); unchanged on other architectures.
std::uint64_t stripPointer(Arch arch, std::uint64_t pointer);
/// Whether an address can be mapped at all in the lower or upper half.
bool isCanonical(Arch arch, std::uint64_t address);

/// The integer registers of one thread at one moment. Small, trivially copyable.
class Registers {
public:
    static constexpr std::size_t capacity = 40;

    Registers() = default;
    explicit Registers(Arch arch) : arch_(arch) {}

    [[nodiscard]] Arch arch() const { return arch_; }
    [[nodiscard]] bool has(RegisterId id) const { return (present_ >> id & 1U) != 0; }
    [[nodiscard]] std::optional<std::uint64_t> get(RegisterId id) const {
        return has(id) ? std::optional(values_[id]) : std::nullopt;
    }
    /// The value, or 0 when unknown.
    [[nodiscard]] std::uint64_t valueOr0(RegisterId id) const { return has(id) ? values_[id] : 0; }
    void set(RegisterId id, std::uint64_t value) {
        values_[id] = value;
        present_ |= std::uint64_t{1} << id;
    }
    void forget(RegisterId id) {
        values_[id] = 0;
        present_ &= ~(std::uint64_t{1} << id);
    }
    [[nodiscard]] bool empty() const { return present_ == 0; }
    [[nodiscard]] std::uint64_t pc() const { return valueOr0(archInfo(arch_).pc); }
    [[nodiscard]] std::uint64_t sp() const { return valueOr0(archInfo(arch_).sp); }
    [[nodiscard]] std::uint64_t fp() const { return valueOr0(archInfo(arch_).fp); }
    bool operator==(const Registers&) const = default;

private:
    std::array<std::uint64_t, capacity> values_{};
    std::uint64_t present_ = 0;
    Arch arch_ = Arch::unknown;
};

}  // namespace icecore
