// A Windows process of code and a stack, for tests of unwinding.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

#include "bytes/source.h"
#include "memory/segment_space.h"
#include "model/process.h"

namespace icecore {

/// Code is not writable, a stack not executable.
inline void addRegion(Process& process, const Range& range, bool execute) {
    Region made;
    made.range = range;
    made.protection = {true, !execute, execute, false};
    process.regions.items.push_back(made);
}

/// `bytes`: those of the code, then those of the stack. There are no modules and no threads.
inline Process codeAndStack(Arch arch, const Range& code, const Range& stack,
                            std::vector<std::byte> bytes) {
    Process process;
    process.system.os = Os::windows;
    process.system.arch = arch;
    addRegion(process, stack, false);
    addRegion(process, code, true);
    process.regions.coverage = Coverage::complete;
    SegmentSpaceBuilder builder(memorySource(std::move(bytes), "test"));
    builder.addStored(code, 0);
    builder.addStored(stack, code.size());
    process.memory = builder.build();
    return process;
}

/// Registers unwind entries of `code`, as programs do for code that they make themselves.
template <std::size_t words>
void addFunctionTable(Process& process, const Range& code,
                      std::vector<std::array<std::uint32_t, words>> entries) {
    std::ranges::sort(entries, {}, [](const auto& entry) { return entry[0]; });
    std::vector<std::byte> bytes;
    for (const auto& entry : entries) {
        for (const std::uint32_t word : entry)
            appendInteger(bytes, word);
    }
    process.functionTables.items.push_back(
        {code, code.begin(), 4 * words, SharedBytes::own(std::move(bytes))});
}

}  // namespace icecore
