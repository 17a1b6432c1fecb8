// Whom a watch is of: found by name, awaited, launched, or all of a process group.
#include <fmt/format.h>

#include <algorithm>
#include <list>
#include <mutex>
#include <thread>

#include "live/capture.h"
#include "live/launch.h"
#include "monitor/event_source.h"
#include "monitor/fact_source.h"
#include "monitor/watch.h"

namespace icecore::monitor {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds slice{100};

Result<std::uint64_t> findOne(const std::string& name) {
    const auto found = live::findProcesses(name);
    if (found.empty()) return fail(Errc::not_found, "no process of this name is running", name);
    if (found.size() > 1)
        return fail(Errc::usage, fmt::format("{} processes have this name", found.size()), name);
    return found.front().pid;
}

Result<WatchReport> watchOne(const WatchPlan& plan, std::uint64_t pid,
                             live::LaunchedProcess* launched, const TakeDump& takeDump,
                             const OnEvent& onEvent, const Cancelled& cancelled) {
    ASSIGN_OR_RETURN(auto source, openFactSource(pid));
    std::unique_ptr<EventSource> events;
    if (needsEvents(plan)) {
        ASSIGN_OR_RETURN(events, openEventSource(pid, plan));
    }
    // Only now: nothing of what it does is missed.
    if (launched != nullptr) TRY(launched->start());
    return watchWith(plan, *source, events.get(), takeDump, onEvent, cancelled);
}

/// Every process of a group, each watched by a thread of its own; whoever joins later, too. It ends
/// when nobody is left to be watched.
class GroupWatch {
public:
    GroupWatch(const WatchPlan& plan, std::uint64_t group, const TakeDump& takeDump,
               const OnEvent& onEvent, const Cancelled& cancelled)
        : plan_(plan),
          group_(group),
          takeDump_(takeDump),
          onEvent_(onEvent),
          cancelled_(cancelled),
          began_(Clock::now()) {}

    Result<WatchReport> run() {
        if (live::processGroup(group_).empty())
            return fail(Errc::not_found, "no process belongs to this group",
                        fmt::format("process group {}", group_));
        WatchEnd end = WatchEnd::targetEnded;
        for (;;) {
            takeIn();
            if (running() == 0) break;
            std::this_thread::sleep_for(slice);
            if (cancelled_ && cancelled_()) end = WatchEnd::cancelled;
            if (plan_.duration && Clock::now() - began_ >= *plan_.duration)
                end = WatchEnd::duration;
            if (end == WatchEnd::targetEnded) continue;
            const std::lock_guard lock(mutex_);
            over_ = true;
            break;
        }
        for (Member& member : members_)
            member.thread.join();
        return conclude(end);
    }

private:
    struct Member {
        live::ProcessIdentity process;
        Result<WatchReport> report = WatchReport{};
        bool done = false;
        std::thread thread{};
    };

    void takeIn() {
        for (const live::ProcessIdentity& process : live::processGroup(group_)) {
            const auto same = [&](const Member& member) { return member.process == process; };
            if (std::ranges::any_of(members_, same)) continue;
            Member& member = members_.emplace_back();
            member.process = process;
            member.thread = std::thread([this, &member] { watchMember(member); });
        }
    }

    void watchMember(Member& member) {
        WatchPlan plan = plan_;
        if (plan.duration) {
            plan.duration = std::max(std::chrono::ceil<std::chrono::milliseconds>(
                                         *plan_.duration - (Clock::now() - began_)),
                                     std::chrono::milliseconds(1));
        }
        // One at a time: who takes dumps need not know of the others.
        const auto take = [this](const DumpReason& reason) {
            const std::lock_guard lock(told_);
            return takeDump_(reason);
        };
        const auto tell = [this](const WatchEvent& event) {
            const std::lock_guard lock(told_);
            if (onEvent_) onEvent_(event);
        };
        const auto cancelled = [this] {
            const std::lock_guard lock(mutex_);
            return over_;
        };
        auto report = watchOne(plan, member.process.pid, nullptr, take, tell, cancelled);
        const std::lock_guard lock(mutex_);
        member.report = std::move(report);
        member.done = true;
    }

    [[nodiscard]] std::ptrdiff_t running() {
        const std::lock_guard lock(mutex_);
        return std::ranges::count(members_, false, &Member::done);
    }

    Result<WatchReport> conclude(WatchEnd end) {
        WatchReport whole;
        whole.end = end;
        bool all = true;
        bool any = false;
        for (Member& member : members_) {
            if (!member.report) {
                // It may have ended before it was looked at.
                if (member.report.error().code != Errc::target_gone)
                    whole.failed.push_back(member.report.error());
                continue;
            }
            any = true;
            all &= member.report->end == WatchEnd::count;
            whole.dumps += member.report->dumps;
            std::ranges::move(member.report->failed, std::back_inserter(whole.failed));
        }
        if (!any && !whole.failed.empty()) return std::unexpected(whole.failed.front());
        if (any && all && end == WatchEnd::targetEnded) whole.end = WatchEnd::count;
        return whole;
    }

    const WatchPlan& plan_;
    std::uint64_t group_;
    const TakeDump& takeDump_;
    const OnEvent& onEvent_;
    const Cancelled& cancelled_;
    Clock::time_point began_;
    std::mutex mutex_, told_;
    bool over_ = false;
    std::list<Member> members_;
};

}  // namespace

Result<WatchReport> watch(const WatchPlan& plan, const TakeDump& takeDump, const OnEvent& onEvent,
                          const Cancelled& cancelled) {
    if (const auto* group = std::get_if<TargetGroup>(&plan.target))
        return GroupWatch(plan, group->group, takeDump, onEvent, cancelled).run();
    std::uint64_t pid = 0;
    std::unique_ptr<live::LaunchedProcess> launched;
    if (const auto* target = std::get_if<TargetPid>(&plan.target)) {
        pid = target->pid;
    } else if (const auto* named = std::get_if<TargetName>(&plan.target)) {
        ASSIGN_OR_RETURN(pid, findOne(named->name));
    } else if (const auto* awaited = std::get_if<TargetWaitFor>(&plan.target)) {
        while (live::findProcesses(awaited->name).empty()) {
            if (cancelled && cancelled()) return WatchReport{WatchEnd::cancelled, 0, {}};
            std::this_thread::sleep_for(slice);
        }
        ASSIGN_OR_RETURN(pid, findOne(awaited->name));
    } else if (const auto* program = std::get_if<TargetLaunch>(&plan.target)) {
        ASSIGN_OR_RETURN(launched, live::launch(program->arguments));
        pid = launched->pid();
    }
    return watchOne(plan, pid, launched.get(), takeDump, onEvent, cancelled);
}

}  // namespace icecore::monitor
