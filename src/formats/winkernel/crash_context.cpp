// The registers at the moment that a bug check is about: KeBugCheckEx, whose registers the header
// holds, was called long after that.
#include <algorithm>
#include <array>

#include "arch/windows_context.h"
#include "formats/winkernel/reading.h"

namespace icecore::winkernel {

namespace {

enum class Kind : std::uint8_t {
    context,    ///< the parameter is the address of a CONTEXT
    trapFrame,  ///< … of a KTRAP_FRAME
    address,    ///< … is the instruction's address: a trap frame with it lies on the stack
};

/// Parameters are counted from 0 here.
struct Row {
    std::uint32_t bugCheck;
    Kind kind;
    std::uint8_t parameter;
};

// "Bug check code reference" (learn.microsoft.com), where each parameter is explained.
constexpr auto rows = std::to_array<Row>({
    {0x0a, Kind::address, 3},
    {0x1e, Kind::address, 1},
    {0x23, Kind::context, 2},
    {0x24, Kind::context, 2},
    {0x3b, Kind::context, 2},
    {0x3d, Kind::context, 1},
    {0x50, Kind::address, 2},
    {0x7e, Kind::context, 3},
    {0x8e, Kind::trapFrame, 2},
    {0xbe, Kind::trapFrame, 2},
    {0xd1, Kind::address, 3},
    {0xd5, Kind::address, 2},
    {0xd6, Kind::address, 2},
    {0xfc, Kind::trapFrame, 2},
    {0x139, Kind::trapFrame, 1},
});
/// Set when the bug check was raised for a dump of the kind "M" (with a minidump's parameters).
constexpr std::uint32_t modifier = 0x10000000;

struct Slot {
    std::uint16_t offset;
    std::uint8_t size;
    RegisterId id;
};

// KTRAP_FRAME of x64. Rbx, Rsi and Rdi are there too, but the kernel's page fault does not save
// them: they stay unknown.
constexpr auto trap64 = std::to_array<Slot>({{0x30, 8, x64::rax},
                                             {0x38, 8, x64::rcx},
                                             {0x40, 8, x64::rdx},
                                             {0x48, 8, x64::r8},
                                             {0x50, 8, x64::r9},
                                             {0x58, 8, x64::r10},
                                             {0x60, 8, x64::r11},
                                             {0x158, 8, x64::rbp},
                                             {0x168, 8, x64::rip},
                                             {0x170, 2, x64::cs},
                                             {0x178, 4, x64::eflags},
                                             {0x180, 8, x64::rsp},
                                             {0x188, 2, x64::ss}});
constexpr std::size_t trapSize64 = 0x190, trapPc64 = 0x168, trapCs64 = 0x170;
constexpr auto trap32 = std::to_array<Slot>({{0x3c, 4, x86::edx},
                                             {0x40, 4, x86::ecx},
                                             {0x44, 4, x86::eax},
                                             {0x54, 4, x86::edi},
                                             {0x58, 4, x86::esi},
                                             {0x5c, 4, x86::ebx},
                                             {0x60, 4, x86::ebp},
                                             {0x68, 4, x86::eip},
                                             {0x6c, 2, x86::cs},
                                             {0x70, 4, x86::eflags}});
/// Of a trap inside the kernel nothing is pushed behind the flags: there the stack goes on.
constexpr std::size_t trapSize32 = 0x74, trapPc32 = 0x68, trapCs32 = 0x6c;
constexpr std::uint16_t kernelCode64 = 0x10, kernelCode32 = 8;

/// KTRAP_FRAME of ARM64: status and syndrome, the stack pointer, what a call need not preserve.
/// Source: ReactOS' ndk/arm64/ketypes.h, where FaultAddress and TrapFrame are one word, as three
/// frames in a dump of Windows 11 show.
constexpr auto trapArm64 = [] {
    std::array<Slot, 24> slots{};
    for (std::uint8_t i = 0; i < 19; ++i)
        slots[i] = {static_cast<std::uint16_t>(0xa0 + 8 * i), 8, i};
    slots[19] = {0x98, 8, arm64::sp};
    slots[20] = {0x138, 8, arm64::lr};
    slots[21] = {0x140, 8, arm64::fp};
    slots[22] = {0x90, 4, arm64::cpsr};
    slots[23] = {0x148, 8, arm64::pc};
    return slots;
}();
constexpr std::size_t trapSizeArm64 = 0x150, trapPcArm64 = 0x148, trapStatusArm64 = 0x90;

/// Where a trap frame says that the kernel itself was interrupted: its code segment, or the
/// exception level in the status register.
struct TrapLayout {
    std::span<const Slot> slots;
    std::size_t size, pcAt;
    std::size_t modeAt;
    std::uint16_t modeMask, kernelMode;
};
std::optional<TrapLayout> trapLayout(Arch arch) {
    constexpr std::uint16_t all = 0xffff, exceptionLevel = 0x1c, level1 = 4;
    switch (arch) {
    case Arch::x86_64: return TrapLayout{trap64, trapSize64, trapPc64, trapCs64, all, kernelCode64};
    case Arch::x86: return TrapLayout{trap32, trapSize32, trapPc32, trapCs32, all, kernelCode32};
    case Arch::arm64:
        return TrapLayout{trapArm64,       trapSizeArm64,  trapPcArm64,
                          trapStatusArm64, exceptionLevel, level1};
    default: return std::nullopt;
    }
}

/// How far a stack is looked through: the largest kernel stack of Windows and more.
constexpr std::size_t deepest = 128 << 10;

std::optional<Context> trapFrameAt(const KernelReading& reading, std::uint64_t address) {
    const Arch arch = reading.process.system.arch;
    const auto layout = trapLayout(arch);
    if (!layout) return std::nullopt;
    std::array<std::byte, trapSize64> bytes;
    const std::span frame = std::span(bytes).first(layout->size);
    if (reading.process.memory->read(address, frame).bytes != frame.size()) return std::nullopt;
    const auto mode = loadInteger<std::uint16_t>(bytes.data() + layout->modeAt);
    if ((mode & layout->modeMask) != layout->kernelMode) return std::nullopt;
    Context context{Registers(arch), {}, {}};
    for (const Slot& slot : layout->slots) {
        std::uint64_t value = 0;
        for (std::size_t i = slot.size; i-- > 0;)
            value = value << 8U | std::to_integer<std::uint64_t>(frame[slot.offset + i]);
        context.registers.set(slot.id, value);
    }
    if (arch == Arch::x86) context.registers.set(x86::esp, address + trapSize32);
    return context;
}

/// The frame on the stack whose program counter is `pc`.
std::optional<Context> findTrapFrame(const KernelReading& reading, const Registers& registers,
                                     std::uint64_t pc) {
    const auto layout = trapLayout(reading.process.system.arch);
    const std::uint8_t step = reading.pointerSize();
    const std::uint64_t sp = alignDown(registers.sp(), step);
    if (!layout || pc == 0 || sp < layout->pcAt) return std::nullopt;
    const auto stack = reading.process.memory->readUpTo(sp, deepest);
    for (std::size_t at = 0; at + step <= stack.size(); at += step) {
        const std::uint64_t value = step == 8 ? loadInteger<std::uint64_t>(stack.data() + at)
                                              : loadInteger<std::uint32_t>(stack.data() + at);
        if (value != pc) continue;
        if (auto context = trapFrameAt(reading, sp + at - layout->pcAt)) return context;
    }
    return std::nullopt;
}

std::optional<Context> contextAt(const KernelReading& reading, std::uint64_t address) {
    // The largest CONTEXT without extended state, of ARM64.
    constexpr std::uint64_t largest = 0x4d0;
    const auto bytes = reading.process.memory->readUpTo(address, largest);
    auto context = readWindowsContext(ByteView(bytes), reading.process.system.arch);
    if (!context || context->registers.arch() != reading.process.system.arch) return std::nullopt;
    return *std::move(context);
}

}  // namespace

std::optional<Context> findCrashContext(const KernelReading& reading, const Registers& atBugCheck) {
    const std::uint32_t code = reading.header.bugCheck & ~modifier;
    const auto row = std::ranges::find(rows, code, &Row::bugCheck);
    if (row == rows.end()) return std::nullopt;
    const std::uint64_t parameter = reading.header.parameters[row->parameter];
    std::optional<Context> found;
    switch (row->kind) {
    case Kind::context: found = contextAt(reading, parameter); break;
    case Kind::trapFrame: found = trapFrameAt(reading, parameter); break;
    case Kind::address: found = findTrapFrame(reading, atBugCheck, parameter); break;
    }
    return found && found->registers.pc() != 0 ? found : std::nullopt;
}

}  // namespace icecore::winkernel
