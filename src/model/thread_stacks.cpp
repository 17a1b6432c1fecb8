#include "model/thread_stacks.h"

#include <algorithm>

#include "bytes/elf_layout.h"
#include "model/elf_essentials.h"

namespace icecore {

namespace {

/// The mapping around `address`: a region, or, in a dump without regions, a run of memory.
Range mappingAt(const Process& process, std::uint64_t address) {
    if (const Region* region = process.regionAt(address)) return region->range;
    if (!process.regions.empty()) return {};
    for (const Extent& extent : process.memory->extents(Range::ofSize(address, 1))) {
        if (extent.absence != Absence::none) continue;
        // Grown upwards only: below the stack pointer nothing is needed.
        const auto ahead = process.memory->extents(Range::ofSize(address, stackYoungest));
        return ahead.empty() ? extent.range
                             : Range::between(extent.range.begin(), ahead.front().range.end());
    }
    return {};
}

/// The mapping a thread was given as its stack: [stack] for the main thread, for others the one
/// that holds the thread pointer, as C libraries put the control block at the stack's end.
Range ownStack(const Process& process, const Thread& thread) {
    if (thread.id == process.pid) {
        const auto& regions = process.regions.items;
        const auto main = std::ranges::find(regions, RegionKind::stack, &Region::kind);
        return main == regions.end() ? Range() : main->range;
    }
    return thread.tls ? mappingAt(process, *thread.tls) : Range();
}

class Collector {
public:
    Collector(const Process& process, bool withArguments) : process_(process) {
        if (!withArguments) {
            // The kernel puts the strings above the 16 random bytes AT_RANDOM points to.
            end_ = process.auxvValue(elf::auxRandom).value_or(UINT64_MAX);
        }
    }

    void add(const Thread& thread) {
        if (!thread.context) return;
        const std::uint64_t sp = thread.context->registers.sp();
        if (sp == 0) return;
        const Range here = mappingAt(process_, sp);
        addFrom(sp, thread.stack && thread.stack->contains(sp) ? *thread.stack : here, here);
        const Range own = ownStack(process_, thread);
        if (!own.empty() && !own.contains(sp)) addInterrupted(sp, here, own);
    }

    [[nodiscard]] std::vector<Range> take() { return kept_.ranges(); }

private:
    void addFrom(std::uint64_t sp, Range stack, Range mapping) {
        if (stack.empty()) return;
        const ArchInfo& info = archInfo(process_.system.arch);
        const std::uint64_t wanted = sp - std::min<std::uint64_t>(sp, info.redZone);
        const std::uint64_t begin = std::max(alignDown(wanted, info.pointerSize), mapping.begin());
        const bool main = end_ != UINT64_MAX && stack.contains(end_);
        const Range used = Range::between(begin, main ? std::max(end_, sp) : stack.end());
        if (used.size() <= stackYoungest + stackOldest) {
            kept_.add(used);
        } else {
            kept_.add(Range::ofSize(used.begin(), stackYoungest));
            kept_.add(Range::between(used.end() - stackOldest, used.end()));
        }
    }

    /// A handler runs on an alternate stack; somewhere above its frames the kernel saved the
    /// interrupted registers. Every pointer from here into the thread's own stack may be the
    /// interrupted stack pointer, so the lowest counts. Frames of a handler and a signal frame
    /// with AVX-512 state fit 64 KiB many times over.
    void addInterrupted(std::uint64_t sp, Range here, Range own) {
        std::uint64_t lowest = own.end();
        forEachWord(process_, {Range::ofSize(sp, 64 << 10).intersect(here)},
                    [&](std::uint64_t word) {
                        if (own.contains(word)) lowest = std::min(lowest, word);
                    });
        if (lowest != own.end()) addFrom(lowest, own, own);
    }

    const Process& process_;
    std::uint64_t end_ = UINT64_MAX;
    RangeSet kept_;
};

}  // namespace

std::vector<Range> threadStacks(const Process& process, bool withArguments) {
    Collector collector(process, withArguments);
    for (const Thread& thread : process.threads)
        collector.add(thread);
    return collector.take();
}

void forEachWord(const Process& process, const std::vector<Range>& ranges,
                 const std::function<void(std::uint64_t)>& use) {
    const std::size_t size = archInfo(process.system.arch).pointerSize;
    std::vector<std::byte> piece(256 << 10);
    for (const Range& range : ranges) {
        std::uint64_t at = alignUp(range.begin(), size);
        while (at < range.end()) {
            const auto want =
                static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), range.end() - at));
            const std::size_t got = process.memory->read(at, std::span(piece).first(want)).bytes;
            for (std::size_t i = 0; i + size <= got; i += size) {
                use(size == 4 ? loadInteger<std::uint32_t>(piece.data() + i)
                              : loadInteger<std::uint64_t>(piece.data() + i));
            }
            // Behind a page that cannot be read there may be more.
            at = got == want ? at + want : alignDown(at + got, 4096) + 4096;
        }
    }
}

void forEachRegister(const Process& process, const std::function<void(std::uint64_t)>& use) {
    const auto each = [&](const Context& context) {
        const auto count = archInfo(context.registers.arch()).registers.size();
        for (std::size_t id = 0; id < count; ++id) {
            if (const auto value = context.registers.get(static_cast<RegisterId>(id))) use(*value);
        }
    };
    for (const Thread& thread : process.threads) {
        if (thread.context) each(*thread.context);
    }
    if (process.exception && process.exception->context) each(*process.exception->context);
}

}  // namespace icecore
