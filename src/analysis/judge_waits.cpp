// What it means where and for whom the threads wait.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "analysis/inquiry.h"
#include "base/how_many.h"

namespace icecore {

namespace {

/// Threads that wait for one that does something else: no deadlock, and still worth saying.
void reportHeldUp(Inquiry& inquiry) {
    const Process& process = inquiry.crash.process;
    std::map<std::uint64_t, std::vector<std::size_t>> waiting;
    for (std::size_t i = 0; i < inquiry.activities.size(); ++i) {
        if (inquiry.activities[i].mutex && inquiry.activities[i].waitsFor)
            waiting[*inquiry.activities[i].waitsFor].push_back(i);
    }
    for (const auto& [owner, members] : waiting) {
        Finding finding;
        const auto at = std::ranges::find(process.threads, owner, &Thread::id);
        const auto index = static_cast<std::size_t>(at - process.threads.begin());
        const bool known =
            index < inquiry.activities.size() && !inquiry.activities[index].text.empty();
        finding.claim =
            fmt::format("{} held up by {}{}.",
                        members.size() == 1 ? std::string("A thread is")
                                            : howMany(members.size(), "thread") + " are",
                        threadText(process, owner),
                        known ? ", which is " + inquiry.activities[index].text : "");
        for (const std::size_t member : members)
            finding.evidence.push_back(inquiry.activities[member].evidence);
        finding.confidence = Confidence::high;
        inquiry.out.findings.push_back(std::move(finding));
    }
}

}  // namespace

std::string waitingText(const Inquiry& inquiry) {
    const Process& process = inquiry.crash.process;
    if (process.threads.empty()) return "The dump lists no threads.";
    std::map<std::string, std::size_t> counts;
    for (const Activity& activity : inquiry.activities) {
        std::string text = activity.text.empty() ? std::string("at work") : activity.text;
        text.resize(std::min(text.find(" held by "), text.size()));
        ++counts[text];
    }
    std::vector<std::pair<std::string, std::size_t>> order(counts.begin(), counts.end());
    std::ranges::stable_sort(order, std::ranges::greater{},
                             &std::pair<std::string, std::size_t>::second);
    std::vector<std::string> parts;
    parts.reserve(order.size());
    for (const auto& [text, count] : order)
        parts.push_back(fmt::format("{} {}", count, text));
    return fmt::format("{}: {}.", howMany(process.threads.size(), "thread"),
                       fmt::join(parts, ", "));
}

void judgeWithoutException(Inquiry& inquiry) {
    const Process& process = inquiry.crash.process;
    const auto circles = findDeadlocks(process, inquiry.activities);
    if (circles.empty()) {
        reportHeldUp(inquiry);
        accuseNobody(inquiry, "NO_EXCEPTION");
        inquiry.out.verdict.healthy = true;
        inquiry.out.verdict.summary =
            "No exception is recorded and nothing points at a fault. " + waitingText(inquiry);
        if (!process.threads.empty()) inquiry.out.verdict.thread = process.threads[0].id;
        return;
    }
    for (const auto& circle : circles) {
        Finding finding;
        finding.confidence = Confidence::certain;
        std::vector<std::string> names;
        for (const std::size_t member : circle) {
            names.push_back(threadText(process, process.threads[member].id));
            finding.evidence.push_back(inquiry.activities[member].evidence);
        }
        finding.claim =
            circle.size() == 1
                ? fmt::format("Deadlock: {} waits for what it holds itself.", names.front())
                : fmt::format("Deadlock: {} wait for each other in a circle.",
                              fmt::join(names, " and "));
        inquiry.out.findings.push_back(std::move(finding));
    }
    // The place in the bucket must not depend on which thread came first: the smallest name.
    const NamedStack* chosen = nullptr;
    Blame chosenBlame;
    std::string place;
    for (const std::size_t member : circles.front()) {
        const NamedStack& stack = inquiry.out.stacks[member];
        const Blame found = findBlame(stack);
        if (!found.frame) continue;
        const std::string candidate = placeText(stack.frames[*found.frame]);
        if (chosen != nullptr && candidate >= place) continue;
        chosen = &stack;
        chosenBlame = found;
        place = candidate;
    }
    const std::string others =
        circles.front().size() == 1
            ? std::string("which it holds itself")
            : fmt::format("in a circle of {}", howMany(circles.front().size(), "thread"));
    if (chosen != nullptr) {
        accuse(inquiry, *chosen, chosenBlame, "DEADLOCK", "is deadlocked " + others);
    } else {
        accuseNobody(inquiry, "DEADLOCK");
        inquiry.out.verdict.summary = inquiry.out.findings.front().claim;
    }
}

}  // namespace icecore
