// The flow of a watch: polls levels, asks for dumps, counts them.
#include "monitor/watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "live/capture.h"
#include "monitor/event_source.h"
#include "monitor/fact_source.h"

namespace icecore::monitor {

namespace {

using std::chrono::nanoseconds;

constexpr std::uint64_t mebibyte = 1024 * 1024;
constexpr std::size_t failuresInARow = 3;

template <class... Visitors>
struct Overloaded : Visitors... {
    using Visitors::operator()...;
};

bool holds(double value, Comparison comparison, double limit) {
    switch (comparison) {
    case Comparison::above: return value > limit;
    case Comparison::below: return value < limit;
    case Comparison::atLeast: return value >= limit;
    }
    return false;
}

std::string_view word(Comparison comparison) {
    return comparison == Comparison::above   ? "above"
           : comparison == Comparison::below ? "below"
                                             : "at least";
}

/// One condition and how long it has held. Each threshold of a list is one of its own.
struct Level {
    const Trigger* trigger = nullptr;
    std::size_t index = 0;
    std::size_t threshold = 0;  ///< of CommitLevel's list
    std::optional<nanoseconds> since;
    bool met = false;  ///< a threshold of a list, which is dumped once
};

std::size_t thresholds(const Trigger& trigger) {
    const auto* commit = std::get_if<CommitLevel>(&trigger);
    return commit == nullptr ? 1 : commit->mebibytes.size();
}

/// What one poll says about a trigger: empty when its condition does not hold.
using Verdict = std::optional<std::string>;

class Watch {
public:
    Watch(const WatchPlan& plan, FactSource& source, EventSource* events, const TakeDump& takeDump,
          const OnEvent& onEvent, const Cancelled& cancelled)
        : plan_(plan),
          source_(source),
          events_(events),
          takeDump_(takeDump),
          onEvent_(onEvent),
          cancelled_(cancelled) {
        for (std::size_t i = 0; i < plan.triggers.size(); ++i) {
            for (std::size_t threshold = 0; threshold < thresholds(plan.triggers[i]); ++threshold)
                levels_.push_back({&plan.triggers[i], i, threshold, {}});
        }
    }

    Result<WatchReport> run() {
        const nanoseconds begin = source_.now();
        wanted_ = wantedFacts();
        tell(WatchEventKind::watching, {});
        if (levels_.empty()) {
            TRY(trigger(0, "manual", "asked for", {}));
            if (plan_.killAfterDump) source_.kill();
            report_.end = WatchEnd::count;
            return std::move(report_);
        }
        for (;;) {
            if (cancelled_ && cancelled_()) return end(WatchEnd::cancelled);
            const nanoseconds now = source_.now();
            if (plan_.duration && now - begin >= *plan_.duration) return end(WatchEnd::duration);
            const auto facts = source_.read(wanted_);
            if (!facts) {
                if (facts.error().code != Errc::target_gone) return std::unexpected(facts.error());
                tell(WatchEventKind::ended, {});
                return end(WatchEnd::targetEnded);
            }
            TRY(look(*facts, now));
            if (enough()) {
                if (plan_.killAfterDump) source_.kill();
                return end(WatchEnd::count);
            }
            nanoseconds pause = plan_.poll;
            if (plan_.duration) pause = std::min(pause, begin + *plan_.duration - source_.now());
            if (pause <= nanoseconds::zero()) continue;
            if (events_ == nullptr) {
                source_.sleep(pause, cancelled_);
            } else if (auto listened = listen(source_.now() + pause); !listened) {
                if (listened.error().code != Errc::target_gone)
                    return std::unexpected(std::move(listened).error());
                tell(WatchEventKind::ended, {});
                return end(enough() ? WatchEnd::count : WatchEnd::targetEnded);
            }
            if (enough()) {
                if (plan_.killAfterDump) source_.kill();
                return end(WatchEnd::count);
            }
        }
    }

private:
    [[nodiscard]] WantedFacts wantedFacts() const {
        WantedFacts wanted;
        for (const Level& level : levels_) {
            wanted.cpu |= std::holds_alternative<CpuLevel>(*level.trigger);
            wanted.commit |= std::holds_alternative<CommitLevel>(*level.trigger);
            wanted.threads |= std::holds_alternative<ThreadLevel>(*level.trigger);
            wanted.handles |= std::holds_alternative<HandleLevel>(*level.trigger);
        }
        return wanted;
    }

    Result<WatchReport> end(WatchEnd how) {
        report_.end = how;
        return std::move(report_);
    }

    void tell(WatchEventKind kind, std::string text) {
        if (onEvent_) onEvent_({kind, source_.pid(), std::move(text)});
    }

    [[nodiscard]] bool enough() const { return report_.dumps >= plan_.count || levels_.empty(); }

    /// Takes in events until `until`, or until there is enough.
    Result<void> listen(nanoseconds until) {
        // In slices, since a cancellation wakes nobody.
        constexpr nanoseconds slice = std::chrono::milliseconds(100);
        for (;;) {
            if (cancelled_ && cancelled_()) return {};
            const nanoseconds left = until - source_.now();
            if (left <= nanoseconds::zero()) return {};
            ASSIGN_OR_RETURN(
                const auto happening,
                events_->next(std::chrono::ceil<std::chrono::milliseconds>(std::min(left, slice))));
            if (!happening) continue;
            const auto handled = handle(*happening);
            events_->pass();
            if (!handled || enough()) return handled;
        }
    }

    Result<void> handle(const Happening& happening) {
        const auto about = std::ranges::find_if(
            levels_, [&](const Level& level) { return isAbout(*level.trigger, happening); });
        if (about == levels_.end()) return {};
        const bool filtered = happening.kind != HappeningKind::exit &&
                              happening.kind != HappeningKind::threadStarted &&
                              happening.kind != HappeningKind::threadEnded;
        if (filtered && !passesFilters(plan_, happening.text)) {
            tell(WatchEventKind::seen, happening.text);
            return {};
        }
        const nanoseconds now = source_.now();
        if (plan_.gap && lastDump_ && now - *lastDump_ < *plan_.gap) {
            tell(WatchEventKind::seen, happening.text);
            return {};
        }
        TRY(trigger(about->index, kindOf(*about->trigger), happening.text, happening.code));
        lastCpu_.reset();
        return {};
    }

    Result<void> look(const Facts& facts, nanoseconds now) {
        // The share of a processor between this poll and the last.
        std::optional<double> cores;
        if (facts.cpuTime && lastCpu_ && now > lastPoll_)
            cores = static_cast<double>((*facts.cpuTime - *lastCpu_).count()) /
                    static_cast<double>((now - lastPoll_).count());
        const nanoseconds sampleBegin = lastCpu_ ? lastPoll_ : now;
        lastCpu_ = facts.cpuTime;
        lastPoll_ = now;

        for (Level& level : levels_) {
            if (report_.dumps >= plan_.count) break;
            ASSIGN_OR_RETURN(const Verdict verdict, judgeAny(level, facts, cores));
            if (!verdict) {
                level.since.reset();
                continue;
            }
            // A CPU share speaks of the whole time since the last poll.
            if (!level.since)
                level.since = std::holds_alternative<CpuLevel>(*level.trigger) ? sampleBegin : now;
            if (!due(level, now)) continue;
            const std::uint32_t before = report_.dumps;
            TRY(trigger(level.index, kindOf(*level.trigger), *verdict, {}));
            // The time that the dump took counts for nobody: the next one needs the condition to
            // hold anew.
            level.since.reset();
            lastCpu_.reset();
            level.met = report_.dumps != before && thresholds(*level.trigger) > 1;
        }
        std::erase_if(levels_, [](const Level& level) { return level.met; });
        return {};
    }

    [[nodiscard]] bool due(const Level& level, nanoseconds now) const {
        // Thresholds of one list do not wait for one another, unless that is asked for.
        const bool sameList = lastTrigger_ == level.index && thresholds(*level.trigger) > 1;
        const nanoseconds gap =
            plan_.gap.value_or(sameList ? std::chrono::milliseconds::zero() : plan_.hold);
        if (lastDump_ && now - *lastDump_ < gap) return false;
        // Nothing but time: the first dump comes at once. What hangs has done so long enough.
        if (std::holds_alternative<Timer>(*level.trigger) ||
            std::holds_alternative<HungWindow>(*level.trigger) ||
            std::holds_alternative<HungProcess>(*level.trigger))
            return true;
        return now - *level.since >= plan_.hold;
    }

    [[nodiscard]] static Verdict compare(std::string_view what, double value, Comparison comparison,
                                         double limit, std::string_view unit) {
        if (!holds(value, comparison, limit)) return std::nullopt;
        return fmt::format("{} {:.4g}{} is {} {:.4g}{}", what, value, unit, word(comparison), limit,
                           unit);
    }

    [[nodiscard]] static Verdict count(std::string_view what, std::optional<std::uint64_t> value,
                                       std::uint64_t limit) {
        if (!value || *value < limit) return std::nullopt;
        return fmt::format("{} {} reached {}", what, *value, limit);
    }

    Result<Verdict> judgeAny(const Level& level, const Facts& facts, std::optional<double> cores) {
        if (const auto* window = std::get_if<HungWindow>(level.trigger))
            return source_.hung(*window);
        if (const auto* process = std::get_if<HungProcess>(level.trigger))
            return source_.hung(*process);
        const auto* counter = std::get_if<CounterLevel>(level.trigger);
        if (counter == nullptr) return judge(level, facts, cores);
        ASSIGN_OR_RETURN(const CounterPath path, parseCounterPath(counter->path));
        ASSIGN_OR_RETURN(const auto value, source_.counter(path));
        if (!value) return Verdict{};
        return compare(counter->path, *value, counter->comparison, counter->value, "");
    }

    [[nodiscard]] Verdict judge(const Level& level, const Facts& facts,
                                std::optional<double> cores) const {
        return std::visit(Overloaded{
                              [&](const CpuLevel& cpu) -> Verdict {
                                  if (!cores) return std::nullopt;
                                  const double machine =
                                      cpu.oneCore ? 1 : std::max(1U, source_.processors());
                                  return compare("CPU", *cores * 100 / machine, cpu.comparison,
                                                 cpu.percent, " %");
                              },
                              [&](const CommitLevel& commit) -> Verdict {
                                  if (!facts.commitBytes) return std::nullopt;
                                  const auto limit = commit.mebibytes[level.threshold];
                                  const auto value = *facts.commitBytes;
                                  // Compared in bytes: 100.5 MiB is above 100 MiB.
                                  if (!holds(static_cast<double>(value), commit.comparison,
                                             static_cast<double>(limit) * mebibyte))
                                      return std::nullopt;
                                  return fmt::format("commit {:.1f} MiB is {} {} MiB",
                                                     static_cast<double>(value) / mebibyte,
                                                     word(commit.comparison), limit);
                              },
                              [&](const ThreadLevel& threads) -> Verdict {
                                  return count("threads", facts.threads, threads.count);
                              },
                              [&](const HandleLevel& handles) -> Verdict {
                                  return count("handles", facts.handles, handles.count);
                              },
                              [](const Timer&) -> Verdict { return "time"; },
                              [](const auto&) -> Verdict { return std::nullopt; },
                          },
                          *level.trigger);
    }

    Result<void> trigger(std::size_t index, std::string_view kind, std::string text,
                         std::string code) {
        DumpReason reason{source_.pid(), index, kind, std::move(text), std::move(code), {}};
        if (events_ != nullptr) {
            reason.freeze = [this](const live::CaptureOptions& options, Progress& progress) {
                return events_->freeze(options, progress);
            };
        } else {
            reason.freeze = [this](const live::CaptureOptions& options, Progress& progress) {
                return live::freeze(source_.pid(), options, progress);
            };
        }
        tell(WatchEventKind::triggered, reason.text);
        if (!plan_.showOnly) {
            auto taken = takeDump_(reason);
            if (taken && *taken == Taken::nothing) {
                tell(WatchEventKind::leftOut, reason.text);
                return {};
            }
            if (!taken) {
                report_.failed.push_back(taken.error());
                ++inARow_;
                if (levels_.empty() || inARow_ >= failuresInARow ||
                    taken.error().code == Errc::cancelled || taken.error().code == Errc::exists)
                    return std::unexpected(std::move(taken).error());
                return {};
            }
        }
        inARow_ = 0;
        ++report_.dumps;
        lastDump_ = source_.now();
        lastTrigger_ = index;
        return {};
    }

    const WatchPlan& plan_;
    FactSource& source_;
    EventSource* events_;
    const TakeDump& takeDump_;
    const OnEvent& onEvent_;
    const Cancelled& cancelled_;
    std::vector<Level> levels_;
    WantedFacts wanted_;
    std::optional<nanoseconds> lastCpu_;
    nanoseconds lastPoll_{};
    WatchReport report_;
    std::size_t inARow_ = 0;
    std::optional<nanoseconds> lastDump_;
    std::size_t lastTrigger_ = 0;  ///< which trigger that was
};

bool isLevel(const Trigger& trigger) {
    return std::holds_alternative<CpuLevel>(trigger) ||
           std::holds_alternative<CommitLevel>(trigger) ||
           std::holds_alternative<ThreadLevel>(trigger) ||
           std::holds_alternative<HandleLevel>(trigger) ||
           std::holds_alternative<CounterLevel>(trigger) ||
           std::holds_alternative<HungWindow>(trigger) ||
           std::holds_alternative<HungProcess>(trigger) || std::holds_alternative<Timer>(trigger);
}

}  // namespace

Result<WatchReport> watchWith(const WatchPlan& plan, FactSource& source, EventSource* events,
                              const TakeDump& takeDump, const OnEvent& onEvent,
                              const Cancelled& cancelled) {
    for (const Trigger& trigger : plan.triggers) {
        if (!isLevel(trigger) && (events == nullptr || !isEvent(trigger)))
            return fail(Errc::unsupported,
                        fmt::format("nothing tells of this trigger yet ({})", kindOf(trigger)));
    }
    return Watch(plan, source, events, takeDump, onEvent, cancelled).run();
}

}  // namespace icecore::monitor
