#include "unwind/unseen_code_finder.h"

#include <array>

#include "base/range.h"

namespace icecore {

namespace {

/// Words looked at. Few, as nothing tells an old return address from one that counts.
constexpr std::uint64_t window = 40;
/// The headers of a module hold no code.
constexpr std::uint64_t headers = 0x1000;

/// Whether `pc` is known to be no code without having it. A C++ exception of Windows names the
/// ThrowInfo of what was thrown (parameter 2), a constant; Microsoft's and LLVM's linkers place
/// code before all data, so that nothing behind it in its module is code.
bool isBehindData(const Process& process, const Module& module, std::uint64_t pc) {
    constexpr std::uint32_t cppException = 0xe06d7363;
    const auto& exception = process.exception;
    if (process.system.os != Os::windows || !exception || exception->code != cppException ||
        exception->parameters.size() < 3)
        return false;
    const std::uint64_t throwInfo = exception->parameters[2];
    return module.range.contains(throwInfo) && pc >= throwInfo;
}

/// Whether `pc` lies in a module whose code nobody has.
bool isUnseen(const Walk& walk, std::uint64_t pc) {
    const Module* module = walk.code.process().moduleAt(pc);
    if (module == nullptr || pc - module->range.begin() < headers) return false;
    if (walk.code.executable(pc) == CodeMap::Executable::no) return false;
    if (isBehindData(walk.code.process(), *module, pc)) return false;
    std::array<std::byte, 1> before{};
    return walk.code.read(pc - 1, before) == 0;
}

/// On x86 code begins and returns anywhere, and data at multiples of its size. Of real return
/// addresses every eighth (of 32 bits, sixteenth) is lost, and with them nearly all pointers to
/// data.
bool looksLikeData(Arch arch, std::uint64_t pc) {
    if (arch == Arch::x86_64) return pc % 8 == 0;
    return arch == Arch::x86 && pc % 16 == 0;
}

/// On 32-bit Windows functions with handlers keep a record on the stack: the one further out (or
/// -1), the handler, and their own state: a table and a level of -2 or more (MSVC's
/// _EH3_EXCEPTION_REGISTRATION), or a number that begins with -1 (of C++, EHRegistrationNode). The
/// handler's address is code, and nobody returns to it.
bool isHandlerOfRecord(Walk& walk, std::uint64_t at, Arch arch) {
    if (arch != Arch::x86 || walk.code.process().system.os != Os::windows) return false;
    constexpr std::uint64_t end = UINT32_MAX, mostLevels = 0x100;
    const auto next = walk.word(at - 4, arch);
    if (!next || (*next != end && (*next <= at || *next % 4 != 0 || !walk.stack.contains(*next))))
        return false;
    const auto isLevel = [&](std::uint64_t address) {
        const auto level = walk.word(address, arch);
        return level && (*level >= end - 1 || *level < mostLevels);
    };
    return isLevel(at + 4) || isLevel(at + 8);
}

/// A thread of macOS that waits stands in a stub of libsystem_kernel, which makes no frame: the
/// frame pointer is its caller's, and the return address on top of the stack.
bool isMacSystemCall(const WalkFrame& frame, const Walk& walk) {
    if (frame.registers.arch() != Arch::x86_64 || frame.pcIsReturnAddress) return false;
    const Module* module = walk.code.process().moduleAt(frame.pc());
    return module != nullptr && module->fileName() == "libsystem_kernel.dylib";
}

/// A record that nothing else leads to, and whose saved frame pointer is none: what calls main, and
/// what calls a program's callbacks, uses that register for something else (before glibc 2.34 it
/// held the address of __libc_csu_init).
Step lastRecord(const WalkFrame& frame, Walk& walk) {
    const Arch arch = frame.registers.arch();
    const ArchInfo& info = archInfo(arch);
    const std::uint64_t size = info.pointerSize;
    const auto fp = frame.registers.get(info.fp);
    if (!fp || *fp % size != 0 || *fp < frame.sp() ||
        !walk.stack.contains(Range::ofSize(*fp, 2 * size)))
        return {};
    const auto savedFp = walk.word(*fp, arch);
    const auto savedPc = walk.word(*fp + size, arch);
    if (!savedFp || !savedPc || walk.stack.contains(*savedFp)) return {};
    const std::uint64_t pc = stripPointer(arch, *savedPc);
    if (looksLikeData(arch, pc) || !isUnseen(walk, pc)) return {};
    return guessedCaller(frame, Trust::frame_pointer, pc, *fp + 2 * size, savedFp);
}

}  // namespace

Step UnseenCodeFinder::find(const WalkFrame& frame, Walk& walk) const {
    const Arch arch = frame.registers.arch();
    const ArchInfo& info = archInfo(arch);
    const std::uint64_t size = info.pointerSize;
    const auto fp = frame.registers.get(info.fp);
    if (isMacSystemCall(frame, walk)) {
        const auto word = walk.word(frame.sp(), arch);
        if (word && !looksLikeData(arch, *word) && isUnseen(walk, *word))
            return guessedCaller(frame, Trust::scan, *word, frame.sp() + size, fp);
    }
    // The outermost record: it had a return address and no record above it.
    if (fp == 0U && frame.pcIsReturnAddress && isUnseen(walk, frame.pc())) return Step::outermost();
    const bool inStack = fp && *fp % size == 0 && *fp >= frame.sp() &&
                         walk.stack.contains(Range::ofSize(*fp, 2 * size));
    if (inStack) {
        const auto savedFp = walk.word(*fp, arch);
        const auto savedPc = walk.word(*fp + size, arch);
        const bool chains =
            savedFp && *savedFp > *fp && *savedFp % size == 0 && walk.stack.contains(*savedFp);
        if (savedPc && savedFp && (chains || *savedFp == 0)) {
            const std::uint64_t pc = stripPointer(arch, *savedPc);
            if (isUnseen(walk, pc))
                return guessedCaller(frame, Trust::frame_pointer, pc, *fp + 2 * size, savedFp);
        }
    }
    if (!scan_) return {};
    const Range words =
        Range::ofSize(alignUp(frame.sp(), size), window * size).intersect(walk.stack);
    for (std::uint64_t at = words.begin(); at < words.end() && words.end() - at >= size;
         at += size) {
        const auto word = walk.word(at, arch);
        if (!word) return {};
        const std::uint64_t pc = stripPointer(arch, *word);
        if (looksLikeData(arch, pc) || !isUnseen(walk, pc) || isHandlerOfRecord(walk, at, arch))
            continue;
        // A frame pointer further up still belongs to a frame further out.
        const bool keeps = fp && *fp > at && inStack;
        Step step = guessedCaller(frame, Trust::scan, pc, at + size, keeps ? fp : std::nullopt);
        step.unconfirmed = true;
        return step;
    }
    return lastRecord(frame, walk);
}

}  // namespace icecore
