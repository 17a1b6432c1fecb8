#include <algorithm>
#include <atomic>
#include <thread>

#include "analysis/analysis.h"

namespace icecore {

NamedStack nameStack(std::uint64_t threadId, Stack stack, const Symbolizer& symbolizer) {
    NamedStack named;
    named.threadId = threadId;
    named.frames.reserve(stack.frames.size() * 2);
    for (std::size_t i = 0; i < stack.frames.size(); ++i) {
        const Frame& frame = stack.frames[i];
        const Symbolization found = symbolizer.symbolize(frame.pc, frame.pcIsReturnAddress);
        NamedFrame base;
        base.pc = frame.pc;
        base.sp = frame.sp;
        base.module = found.module;
        base.moduleOffset = found.moduleOffset;
        base.trust = frame.trust;
        base.signalFrame = frame.signalFrame;
        base.physical = i;
        if (found.frames.empty()) {
            named.frames.push_back(std::move(base));
            continue;
        }
        for (const SymbolFrame& symbol : found.frames) {
            NamedFrame one = base;
            one.function = symbol.function;
            one.functionOffset = symbol.functionOffset;
            one.file = symbol.file;
            one.line = symbol.line;
            if (symbol.inlined) one.trust = Trust::inlined;
            named.frames.push_back(std::move(one));
        }
    }
    named.stack = std::move(stack);
    return named;
}

std::vector<NamedStack> nameStacks(const Process& process, const Unwinder& unwinder,
                                   const Symbolizer& symbolizer, const UnwindOptions& options,
                                   unsigned threads) {
    const std::size_t count = process.threads.size();
    std::vector<NamedStack> stacks(count);
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        for (std::size_t i = next++; i < count; i = next++) {
            const Thread& thread = process.threads[i];
            stacks[i] = nameStack(thread.id, unwinder.unwind(thread, options), symbolizer);
        }
    };
    if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
    threads = static_cast<unsigned>(std::min<std::size_t>(threads, count));
    std::vector<std::jthread> workers;
    for (unsigned i = 1; i < threads; ++i)
        workers.emplace_back(work);
    work();
    workers.clear();  // joins
    return stacks;
}

}  // namespace icecore
