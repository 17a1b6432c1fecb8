// !uniqstack, !findstack: all stacks at once.
#include <fmt/format.h>

#include <map>

#include "base/text.h"
#include "debugger/commands.h"
#include "debugger/frame_text.h"
#include "debugger/symbol_text.h"
#include "debugger/thread_text.h"

namespace icecore::debugger {

namespace {

std::vector<std::uint64_t> programCounters(const NamedStack& stack) {
    std::vector<std::uint64_t> pcs;
    pcs.reserve(stack.stack.frames.size());
    for (const Frame& frame : stack.stack.frames)
        pcs.push_back(frame.pc);
    return pcs;
}

}  // namespace

Result<void> uniqueStacks(CommandCall& call) {
    StackStyle style;
    while (!call.arguments.empty()) {
        if (call.arguments.takeSwitch('n')) {
            style.numbers = true;
        } else if (call.arguments.takeSwitch('b')) {
            style.arguments = true;
        } else if (call.arguments.takeSwitch('v')) {
            style.arguments = style.trust = true;
        } else if (call.arguments.takeSwitch('p')) {
            style.parameters = StackStyle::Parameters::inLine;
        } else {
            return call.arguments.finish();
        }
    }
    Session& session = call.session;
    session.prepareAllStacks();
    const std::size_t count = session.process().threads.size();
    call.out.print("Processing {} threads, please wait\n", count);
    std::map<std::vector<std::uint64_t>, std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < count && !session.interrupted(); ++i)
        groups[programCounters(session.stackOf(i))].push_back(i);
    std::vector<std::size_t> duplicates;
    for (std::size_t i = 0; i < count && !session.interrupted(); ++i) {
        const NamedStack& stack = session.stackOf(i);
        const auto& group = groups[programCounters(stack)];
        if (group.front() != i) {
            duplicates.push_back(i);
            continue;
        }
        call.out.write("\n" + threadLine(session, i, session.threadIndex()));
        if (const auto& priority = session.process().threads[i].priority)
            call.out.print("      Priority: {}\n", *priority);
        if (group.size() > 1) {
            call.out.print("      the same in {} threads: {}\n", group.size(),
                           fmt::join(group, ", "));
        }
        printStack(session, call.out, stack, style, stack.frames.size());
    }
    call.out.print("\nTotal threads: {}\n", count);
    if (!duplicates.empty()) {
        call.out.print("Duplicate callstacks: {} (windbg thread #s follow):\n{}\n",
                       duplicates.size(), fmt::join(duplicates, ", "));
    }
    return {};
}

Result<void> findInStacks(CommandCall& call) {
    const std::string wanted = toLower(call.arguments.takeWord());
    if (wanted.empty()) return fail(Errc::usage, "!findstack SYMBOL [0|1|2]");
    std::uint64_t level = 1;
    if (!call.arguments.empty()) {
        ASSIGN_OR_RETURN(level, call.arguments.takeExpression());
    }
    TRY(call.arguments.finish());
    const bool wild = wanted.find_first_of("*?") != std::string::npos;
    Session& session = call.session;
    session.prepareAllStacks();
    StackStyle style;
    style.numbers = true;
    std::size_t matching = 0;
    for (std::size_t i = 0; i < session.process().threads.size() && !session.interrupted(); ++i) {
        const NamedStack& stack = session.stackOf(i);
        std::vector<std::size_t> hits;
        for (std::size_t f = 0; f < stack.frames.size(); ++f) {
            const std::string text = toLower(frameText(session, stack.frames[f]));
            if (wild ? matchesWildcard(text, wanted) : text.find(wanted) != std::string::npos)
                hits.push_back(f);
        }
        if (hits.empty()) continue;
        ++matching;
        call.out.print("Thread {:03}, {} frame(s) match\n", i, hits.size());
        if (level == 0) continue;
        if (level >= 2) {
            printStack(session, call.out, stack, style, stack.frames.size());
        } else {
            for (const std::size_t f : hits)
                call.out.print("\t* {}", frameLine(session, stack, f, style));
        }
        call.out.write("\n");
    }
    if (matching == 0) call.out.print("no frame of any thread matches '{}'\n", printable(wanted));
    return {};
}

}  // namespace icecore::debugger
