// ~, |, !runaway.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/symbol_text.h"
#include "debugger/thread_text.h"

namespace icecore::debugger {

namespace {

std::string_view stateText(char state) {
    switch (state) {
    case 'R': return "running";
    case 'S': return "sleeping";
    case 'D': return "waiting for a device";
    case 'T': return "stopped";
    case 't': return "stopped by a tracer";
    case 'Z': return "ended, not collected";
    case 'X': return "dead";
    case 'I': return "idle";
    default: return "";
    }
}

/// What is known of one thread beyond its line.
void printDetails(CommandCall& call, const Thread& thread) {
    Session& session = call.session;
    std::string facts;
    const auto add = [&](std::string_view text) {
        if (!facts.empty()) facts += "  ";
        facts += text;
    };
    if (thread.startAddress) add("Start: " + symbolOrAddressText(session, *thread.startAddress));
    if (thread.priority) add(fmt::format("Priority: {}", *thread.priority));
    if (thread.affinity) add(fmt::format("Affinity: {:x}", *thread.affinity));
    add(fmt::format("Thread: {}", thread.id));
    if (const auto state = stateText(thread.state); !state.empty())
        add(fmt::format("State: {}", state));
    call.out.print("      {}\n", facts);
}

enum class Clock { user, kernel, elapsed };

void printTimes(CommandCall& call, std::string_view title, Clock clock) {
    const Process& process = call.session.process();
    struct Row {
        std::size_t index;
        std::chrono::nanoseconds time;
    };
    std::vector<Row> rows;
    for (std::size_t i = 0; i < process.threads.size(); ++i) {
        const Thread& thread = process.threads[i];
        std::optional<std::chrono::nanoseconds> time;
        if (clock == Clock::user) time = thread.userTime;
        if (clock == Clock::kernel) time = thread.kernelTime;
        if (clock == Clock::elapsed && thread.created && call.session.snapshot().provenance.time)
            time = *call.session.snapshot().provenance.time - *thread.created;
        if (time) rows.push_back({i, *time});
    }
    std::ranges::stable_sort(rows, std::ranges::greater(), &Row::time);
    call.out.print(" {}\n  Thread       Time\n", title);
    for (const Row& row : rows) {
        const Thread& thread = process.threads[row.index];
        call.out.print("{:>4}:{:<8x} {}{}\n", row.index, thread.id, daysText(row.time),
                       thread.name.empty() ? "" : fmt::format("  {}", printable(thread.name)));
    }
    if (rows.size() < process.threads.size()) {
        call.out.print("  (of {} threads the dump does not hold this time)\n",
                       process.threads.size() - rows.size());
    }
}

}  // namespace

Result<void> listThreads(CommandCall& call) {
    const Session& session = call.session;
    const std::size_t count = session.process().threads.size();
    if (call.arguments.empty()) {
        for (std::size_t i = 0; i < count && !session.interrupted(); ++i)
            call.out.write(threadLine(session, i, session.threadIndex()));
        if (count == 0) return fail(Errc::not_found, "the dump has no threads");
        return {};
    }
    const auto index = parseDecimal(call.arguments.takeWord());
    TRY(call.arguments.finish());
    if (!index || *index >= count) return fail(Errc::usage, "Illegal thread number");
    call.out.write(threadLine(session, static_cast<std::size_t>(*index), session.threadIndex()));
    printDetails(call, session.process().threads[static_cast<std::size_t>(*index)]);
    return {};
}

Result<void> showProcess(CommandCall& call) {
    if (call.arguments.takeKeyword(".") || call.arguments.takeKeyword("*")) {
        // One dump holds one process: all of them are this one.
    }
    TRY(call.arguments.finish());
    const Process& process = call.session.process();
    call.out.print(".  0\tid: {:x}\texamine\tname: {}\n", process.pid,
                   printable(process.executable.empty() ? process.name : process.executable));
    return {};
}

Result<void> threadTimes(CommandCall& call) {
    std::uint64_t which = 1;
    if (!call.arguments.empty()) {
        ASSIGN_OR_RETURN(which, call.arguments.takeExpression());
    }
    TRY(call.arguments.finish());
    if ((which & 7U) == 0) return fail(Errc::usage, "!runaway: 1 user, 2 kernel, 4 elapsed time");
    if ((which & 1U) != 0) printTimes(call, "User Mode Time", Clock::user);
    if ((which & 2U) != 0) printTimes(call, "Kernel Mode Time", Clock::kernel);
    if ((which & 4U) != 0) printTimes(call, "Elapsed Time", Clock::elapsed);
    return {};
}

}  // namespace icecore::debugger
