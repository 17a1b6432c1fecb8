// x64 unwind information of PE images.
// Source: "x64 exception handling" (learn.microsoft.com/cpp/build/exception-handling-x64): the
// structures RUNTIME_FUNCTION, UNWIND_INFO and UNWIND_CODE, and the procedure "Unwind procedure".
// Version 2 (operation 6 describes epilogues) is not documented there; its form is that of the
// images themselves, which `llvm-readobj --unwind` prints as well.
#include <array>

#include "unwind/pe_finder.h"

namespace icecore {

namespace {

enum Operation : std::uint8_t {
    pushNonvolatile = 0,
    allocateLarge = 1,
    allocateSmall = 2,
    setFrameRegister = 3,
    saveNonvolatile = 4,
    saveNonvolatileFar = 5,
    epilogue = 6,  // version 1: save XMM, two slots
    spare = 7,     // version 1: save XMM far, three slots
    saveXmm = 8,
    saveXmmFar = 9,
    pushMachineFrame = 10,
};

constexpr std::uint8_t flagChained = 4;
/// A chain longer than this goes in circles; compilers make two or three links.
constexpr int longestChain = 32;

/// Numbers of registers in unwind codes are the processor's own.
constexpr std::array<RegisterId, 16> registerOrder = {
    x64::rax, x64::rcx, x64::rdx, x64::rbx, x64::rsp, x64::rbp, x64::rsi, x64::rdi,
    x64::r8,  x64::r9,  x64::r10, x64::r11, x64::r12, x64::r13, x64::r14, x64::r15};

struct UnwindInfo {
    std::uint8_t version = 0, flags = 0, prologueSize = 0, frameRegister = 0;
    std::uint32_t frameOffset = 0;  ///< bytes
    std::size_t count = 0;
    std::array<std::byte, 510> codes{};  ///< two bytes each
    PeFunction chained;

    [[nodiscard]] std::uint8_t offset(std::size_t i) const {
        return std::to_integer<std::uint8_t>(codes[2 * i]);
    }
    [[nodiscard]] std::uint8_t operation(std::size_t i) const {
        return std::to_integer<std::uint8_t>(codes[2 * i + 1]) & 15U;
    }
    [[nodiscard]] std::uint8_t info(std::size_t i) const {
        return std::to_integer<std::uint8_t>(codes[2 * i + 1]) >> 4U;
    }
    [[nodiscard]] std::uint32_t half(std::size_t i) const {
        return loadInteger<std::uint16_t>(codes.data() + 2 * i);
    }
    [[nodiscard]] std::uint32_t word(std::size_t i) const {
        return loadInteger<std::uint32_t>(codes.data() + 2 * i);
    }
    /// How many codes the one at `i` takes, or nothing when it is unknown or cut.
    [[nodiscard]] std::optional<std::size_t> slots(std::size_t i) const;
};

std::optional<std::size_t> UnwindInfo::slots(std::size_t i) const {
    std::size_t size = 0;
    switch (operation(i)) {
    case pushNonvolatile:
    case allocateSmall:
    case setFrameRegister:
    case pushMachineFrame: size = 1; break;
    case allocateLarge:
        if (info(i) > 1) return std::nullopt;
        size = info(i) == 0 ? 2 : 3;
        break;
    case saveNonvolatile:
    case saveXmm: size = 2; break;
    case saveNonvolatileFar:
    case saveXmmFar: size = 3; break;
    case epilogue: size = version >= 2 ? 1 : 2; break;
    case spare: size = version >= 2 ? 2 : 3; break;
    default: return std::nullopt;
    }
    return i + size <= count ? std::optional(size) : std::nullopt;
}

std::optional<UnwindInfo> readInfo(const PeFunction& function, const Walk& walk) {
    const std::uint64_t at = function.base + function.unwind;
    std::array<std::byte, 4> head;
    if (walk.code.read(at, head) != head.size()) return std::nullopt;
    const auto byte = [&](std::size_t i) { return std::to_integer<std::uint8_t>(head[i]); };
    UnwindInfo info;
    info.version = byte(0) & 7U;
    info.flags = byte(0) >> 3U;
    info.prologueSize = byte(1);
    info.count = byte(2);
    info.frameRegister = byte(3) & 15U;
    info.frameOffset = (byte(3) >> 4U) * 16U;
    if (info.version != 1 && info.version != 2) return std::nullopt;
    const auto codes = std::span(info.codes).first(info.count * 2);
    if (walk.code.read(at + head.size(), codes) != codes.size()) return std::nullopt;
    if ((info.flags & flagChained) == 0) return info;
    // Behind the codes, whose number is rounded up to an even one.
    std::array<std::byte, 12> raw;
    if (walk.code.read(at + head.size() + (info.count + 1) / 2 * 4, raw) != raw.size())
        return std::nullopt;
    info.chained = {function.base, loadInteger<std::uint32_t>(raw.data()),
                    loadInteger<std::uint32_t>(raw.data() + 4),
                    loadInteger<std::uint32_t>(raw.data() + 8)};
    return info;
}

/// An entry may stand for another one: then its lowest bit is set.
bool resolveIndirection(PeFunction& function, const Walk& walk) {
    for (int i = 0; (function.unwind & 1U) != 0; ++i) {
        std::array<std::byte, 4> raw;
        const std::uint64_t at = function.base + (function.unwind & ~1U) + 8;
        if (i == longestChain || walk.code.read(at, raw) != raw.size()) return false;
        function.unwind = loadInteger<std::uint32_t>(raw.data());
    }
    return true;
}

/// Undoes what a function's prologue has done so far.
class Undo {
public:
    Undo(const WalkFrame& frame, Walk& walk) : walk_(walk), caller_(frame.registers) {}

    /// `into`: bytes into the function; what the prologue does later has not happened.
    bool run(const UnwindInfo& info, std::uint64_t into);
    /// All codes of an entry that another one is chained to.
    bool runAll(const UnwindInfo& info) { return run(info, UINT64_MAX); }
    /// Pops the return address, where no machine frame did.
    Step finish();

    [[nodiscard]] const Step& failure() const { return failure_; }

private:
    bool load(std::uint64_t address, RegisterId into);
    bool saved(const UnwindInfo& info, std::size_t i, std::uint64_t base);
    bool machineFrame(bool errorCode);
    [[nodiscard]] std::optional<std::uint64_t> baseOf(const UnwindInfo& info,
                                                      std::uint64_t into) const;

    Walk& walk_;
    Registers caller_;
    bool machineFrame_ = false;
    Step failure_;
};

bool Undo::load(std::uint64_t address, RegisterId into) {
    const auto value = walk_.word(address, Arch::x86_64);
    if (!value) {
        failure_ = Step::unreadable(address);
        return false;
    }
    caller_.set(into, *value);
    return true;
}

/// What the offsets of saved registers count from: the stack pointer behind the prologue, which
/// the frame register remembers once it is set.
std::optional<std::uint64_t> Undo::baseOf(const UnwindInfo& info, std::uint64_t into) const {
    if (info.frameRegister == 0) return caller_.sp();
    bool set = into >= info.prologueSize;
    for (std::size_t i = 0; !set && i < info.count;) {
        const auto slots = info.slots(i);
        if (!slots) return std::nullopt;
        set = info.operation(i) == setFrameRegister && info.offset(i) <= into;
        i += *slots;
    }
    if (!set) return caller_.sp();
    const auto frame = caller_.get(registerOrder[info.frameRegister]);
    if (!frame) return std::nullopt;
    return *frame - info.frameOffset;
}

bool Undo::saved(const UnwindInfo& info, std::size_t i, std::uint64_t base) {
    const bool far = info.operation(i) == saveNonvolatileFar;
    return load(base + (far ? info.word(i + 1) : info.half(i + 1) * 8U),
                registerOrder[info.info(i)]);
}

/// What an interrupt pushes: instruction pointer, code segment, flags, stack pointer, segment; an
/// error code below, with some. ntdll's KiUserExceptionDispatcher has such a frame, too.
bool Undo::machineFrame(bool errorCode) {
    const std::uint64_t at = caller_.sp() + (errorCode ? 8 : 0);
    machineFrame_ = true;
    return load(at + 24, x64::rsp) && load(at, x64::rip);
}

bool Undo::run(const UnwindInfo& info, std::uint64_t into) {
    const auto base = baseOf(info, into);
    if (!base) return false;
    for (std::size_t i = 0; i < info.count;) {
        const auto slots = info.slots(i);
        if (!slots) return false;
        const std::size_t at = i;
        i += *slots;
        if (info.offset(at) > into) continue;
        const std::uint64_t sp = caller_.sp();
        switch (info.operation(at)) {
        case pushNonvolatile:
            if (!load(sp, registerOrder[info.info(at)])) return false;
            // pop rsp would be strange, but then it is what was loaded.
            if (registerOrder[info.info(at)] != x64::rsp) caller_.set(x64::rsp, sp + 8);
            break;
        case allocateSmall: caller_.set(x64::rsp, sp + info.info(at) * 8U + 8); break;
        case allocateLarge:
            caller_.set(x64::rsp,
                        sp + (info.info(at) == 0 ? info.half(at + 1) * 8U : info.word(at + 1)));
            break;
        case setFrameRegister: caller_.set(x64::rsp, *base); break;
        case saveNonvolatile:
        case saveNonvolatileFar:
            if (!saved(info, at, *base)) return false;
            break;
        case pushMachineFrame:
            if (!machineFrame(info.info(at) == 1)) return false;
            break;
        default: break;  // vector registers, and descriptions of epilogues
        }
    }
    return true;
}

Step Undo::finish() {
    const std::uint64_t sp = caller_.sp();
    if (!machineFrame_) {
        if (!load(sp, x64::rip)) return failure_;
        caller_.set(x64::rsp, sp + 8);
    }
    Step step;
    step.kind = Step::Kind::caller;
    step.trust = Trust::unwind_info;
    step.fromSignalFrame = machineFrame_;
    step.caller = caller_;
    return step;
}

}  // namespace

Step peStepX64(const PeTables& tables, const WalkFrame& frame, Walk& walk) {
    const auto found = tables.findX64(frame.lookupPc());
    Undo undo(frame, walk);
    if (!found.function) {
        // A leaf has no entry, and calls nobody: only the innermost frame can be one.
        const bool leaf = found.covered && !frame.pcIsReturnAddress &&
                          walk.code.executable(frame.pc()) == CodeMap::Executable::yes;
        return leaf ? undo.finish() : Step{};
    }
    PeFunction function = *found.function;
    if (!resolveIndirection(function, walk)) return {};
    auto info = readInfo(function, walk);
    if (!info) return {};
    const std::uint64_t into = frame.pc() - function.base - function.begin;
    // A return address is in no epilogue, or at the start of one, which comes to the same.
    if (!frame.pcIsReturnAddress && into >= info->prologueSize) {
        if (auto step = peEpilogueX64(tables, function, frame, walk)) return *step;
    }
    bool good = undo.run(*info, into);
    for (int i = 0; good && (info->flags & flagChained) != 0; ++i) {
        PeFunction next = info->chained;
        if (i == longestChain || !resolveIndirection(next, walk)) return {};
        info = readInfo(next, walk);
        if (!info) return {};
        good = undo.runAll(*info);
    }
    return good ? undo.finish() : undo.failure();
}

}  // namespace icecore
