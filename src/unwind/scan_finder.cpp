#include "unwind/scan_finder.h"

namespace icecore {

namespace {

/// Words looked at. Sure hits may be far; the farther a mere possibility, the likelier it is an old
/// return address that some buffer never overwrote.
constexpr std::uint64_t sureWindow = 1024;
constexpr std::uint64_t perhapsWindow = 128;

/// The caller's frame pointer, if what is known of it makes sense for a return address stored at
/// `slot`: unchanged when it points above, else the value saved where it points. On arm64 the link
/// register is saved right above the frame pointer.
std::optional<std::uint64_t> callersFramePointer(const WalkFrame& frame, Walk& walk,
                                                 std::uint64_t slot) {
    const Arch arch = frame.registers.arch();
    const ArchInfo& info = archInfo(arch);
    const auto plausible = [&](std::optional<std::uint64_t> fp) {
        return fp && *fp > slot && walk.stack.contains(*fp);
    };
    if (info.lr && slot >= frame.sp() + info.pointerSize) {
        if (const auto saved = walk.word(slot - info.pointerSize, arch); plausible(saved))
            return saved;
    }
    auto fp = frame.registers.get(info.fp);
    if (fp && *fp >= frame.sp() && *fp <= slot && *fp % info.pointerSize == 0)
        fp = walk.word(*fp, arch);
    return plausible(fp) ? fp : std::nullopt;
}

}  // namespace

Step ScanFinder::find(const WalkFrame& frame, Walk& walk) const {
    const Arch arch = frame.registers.arch();
    const ArchInfo& info = archInfo(arch);
    const std::uint64_t size = info.pointerSize;
    const bool pcIsCode = walk.code.executable(frame.pc()) != CodeMap::Executable::no;
    if (onlySure_ && !pcIsCode) return {};

    const std::uint64_t words = onlySure_ ? sureWindow : perhapsWindow;
    const std::uint64_t start = alignUp(frame.sp(), size);
    const Range window = Range::ofSize(start, words * size).intersect(walk.stack);
    for (std::uint64_t at = window.begin(); at < window.end() && window.end() - at >= size;
         at += size) {
        const auto word = walk.word(at, arch);
        if (!word) return Step::unreadable(at);
        const std::uint64_t pc = stripPointer(arch, *word);
        const auto call = walk.code.callBefore(arch, pc);
        if (!call) continue;
        const auto leads =
            pcIsCode ? walk.code.leadsTo(arch, *call, frame.lookupPc()) : CodeMap::Leads::perhaps;
        if (leads == CodeMap::Leads::no || (onlySure_ && leads != CodeMap::Leads::surely)) continue;
        return guessedCaller(frame, Trust::scan, pc, at + size,
                             callersFramePointer(frame, walk, at));
    }
    return {};
}

}  // namespace icecore
