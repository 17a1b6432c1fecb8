#include "app/procdump_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <span>

#include "base/text.h"
#include "model/signals.h"
#include "monitor/counters.h"

namespace icecore::app {

namespace {

struct Excuse {
    std::string_view name;
    std::size_t values;  ///< arguments that belong to it
    std::string_view text;
};

/// What ProcDump knows and we refuse.
constexpr auto refused = std::to_array<Excuse>({
    {"restrack", 0, "tracks allocations by eBPF programs in the target's allocator: not built yet"},
    {"sr", 1, "the sample rate of -restrack, which is not built yet"},
    {"gcm", 1, "watches the .NET garbage collector's heap: comes with .NET's own support"},
    {"gcgen", 1, "waits for a .NET garbage collection: comes with .NET's own support"},
    {"pc", 2, "reads .NET performance counters: comes with .NET's own support"},
    {"pcl", 2, "reads .NET performance counters: comes with .NET's own support"},
    {"mk", 0, "writes the kernel stacks of the threads, which only Windows' kernel gives away"},
});

/// What means nothing here and does no harm.
constexpr auto ignored = std::to_array<Excuse>({
    {"accepteula", 0, {}},
    {"nobanner", 0, {}},
    {"usegcore", 0, {}},
    {"64", 0,
     "-64 chooses a 64-bit dump of a 32-bit process on 64-bit Windows: here a dump always "
     "has the width of its process"},
    {"wer", 0, "-wer reports the dump to Windows Error Reporting, which is not here"},
    {"g", 0, "-g debugs .NET processes as native ones on Windows: here every process is seen so"},
    {"b", 0, "-b makes breakpoints exceptions on Windows: here SIGTRAP always is one"},
});

class Parser {
public:
    explicit Parser(const std::vector<std::string>& arguments) : left_(arguments) {}

    Result<ProcdumpOptions> run() {
        while (!left_.empty()) {
            const std::string argument = take();
            const auto name = switchName(argument);
            if (!name) {
                positional_.push_back(argument);
                continue;
            }
            TRY(understand(*name));
            if (launched_) break;
        }
        return conclude();
    }

private:
    std::string take() {
        std::string first = left_.front();
        left_ = left_.subspan(1);
        return first;
    }
    [[nodiscard]] std::optional<std::string> switchName(const std::string& argument) const {
        if (argument.size() < 2 || argument.front() != '-') return std::nullopt;
        return toLower(argument.substr(argument.starts_with("--") ? 2 : 1));
    }
    Result<std::string> value(std::string_view name) {
        if (left_.empty())
            return fail(Errc::usage, fmt::format("-{} needs a value behind it", name));
        return take();
    }
    Result<std::uint64_t> number(std::string_view name) {
        ASSIGN_OR_RETURN(const std::string text, value(name));
        const auto parsed = parseDecimal(text);
        if (!parsed) return fail(Errc::usage, fmt::format("-{}: `{}` is no number", name, text));
        return *parsed;
    }
    Result<std::vector<std::uint64_t>> numbers(std::string_view name) {
        ASSIGN_OR_RETURN(const std::string text, value(name));
        std::vector<std::uint64_t> all;
        for (const std::string_view part : split(text, ',')) {
            const auto parsed = parseDecimal(trim(part));
            if (!parsed)
                return fail(Errc::usage, fmt::format("-{}: `{}` is no number", name, part));
            all.push_back(*parsed);
        }
        return all;
    }

    Result<void> understand(const std::string& name) {
        using monitor::Comparison;
        monitor::WatchPlan& plan = options_.plan;
        for (const Excuse& excuse : refused) {
            if (excuse.name != name) continue;
            return fail(Errc::unsupported, fmt::format("-{}: {}", name, excuse.text));
        }
        for (const Excuse& excuse : ignored) {
            if (excuse.name != name) continue;
            if (!excuse.text.empty()) options_.notes.emplace_back(excuse.text);
            windows_ |= !excuse.text.empty();
            return {};
        }
        if (name == "?" || name == "help") {
            options_.job = ProcdumpOptions::Job::help;
        } else if (name == "ma" || name == "mm" || name == "mp" || name == "mt") {
            kind(name);
        } else if (name == "md") {
            ASSIGN_OR_RETURN(options_.callbackLibrary, value(name));
            kind(name);
        } else if (name == "mc") {
            return coreFilter();
        } else if (name == "c" || name == "cl") {
            ASSIGN_OR_RETURN(const std::uint64_t percent, number(name));
            cpu_ = monitor::CpuLevel{name == "c" ? Comparison::atLeast : Comparison::below,
                                     static_cast<double>(percent), false};
            plan.triggers.emplace_back(*cpu_);
        } else if (name == "u") {
            perCore_ = true;
        } else if (name == "m" || name == "ml") {
            ASSIGN_OR_RETURN(auto levels, numbers(name));
            // One dump each.
            thresholds_ = std::max(thresholds_, static_cast<std::uint32_t>(levels.size()));
            plan.triggers.emplace_back(monitor::CommitLevel{
                name == "m" ? Comparison::atLeast : Comparison::below, std::move(levels)});
        } else if (name == "tc") {
            ASSIGN_OR_RETURN(const std::uint64_t count, number(name));
            plan.triggers.emplace_back(monitor::ThreadLevel{count});
        } else if (name == "fc") {
            ASSIGN_OR_RETURN(const std::uint64_t count, number(name));
            plan.triggers.emplace_back(monitor::HandleLevel{count});
        } else if (name == "p" || name == "pl") {
            monitor::CounterLevel level;
            ASSIGN_OR_RETURN(level.path, value(name));
            ASSIGN_OR_RETURN(const std::uint64_t threshold, number(name));
            level.comparison = name == "p" ? Comparison::atLeast : Comparison::below;
            level.value = static_cast<double>(threshold);
            TRY(monitor::parseCounterPath(level.path));
            plan.triggers.emplace_back(std::move(level));
        } else if (name == "sig") {
            return signals();
        } else if (name == "e") {
            if (options_.job == ProcdumpOptions::Job::help) {
                options_.job = ProcdumpOptions::Job::examples;
                return {};
            }
            const bool first = !left_.empty() && left_.front() == "1";
            if (first) take();
            plan.triggers.emplace_back(
                monitor::ExceptionSeen{first ? monitor::Chance::first : monitor::Chance::second});
        } else if (name == "l") {
            plan.triggers.emplace_back(monitor::DebugOutput{});
        } else if (name == "h") {
            monitor::HungWindow window;
            window.withoutDisplay = monitor::HungWindow::WithoutDisplay::hangsAsProcess;
            plan.triggers.emplace_back(window);
        } else if (name == "t") {
            plan.triggers.emplace_back(monitor::ProcessExit{});
        } else if (name == "ld" || name == "ud") {
            plan.triggers.emplace_back(monitor::ModuleChange{name == "ud"});
        } else if (name == "ct" || name == "et") {
            plan.triggers.emplace_back(monitor::ThreadChange{name == "et"});
        } else if (name == "f" || name == "fx") {
            ASSIGN_OR_RETURN(const std::string filters, value(name));
            // `-f ""`: everything is shown, nothing is dumped.
            if (filters.empty()) plan.showOnly = true;
            for (const std::string_view filter : split(filters, ',')) {
                if (!trim(filter).empty())
                    (name == "f" ? plan.include : plan.exclude).emplace_back(trim(filter));
            }
        } else if (name == "n") {
            ASSIGN_OR_RETURN(const std::uint64_t count, number(name));
            if (count == 0 || count > UINT32_MAX)
                return fail(Errc::usage, "-n takes a number above 0");
            count_ = static_cast<std::uint32_t>(count);
        } else if (name == "s") {
            ASSIGN_OR_RETURN(const std::uint64_t seconds, number(name));
            if (seconds > 1'000'000) return fail(Errc::usage, "-s: too many seconds");
            seconds_ = std::chrono::seconds(seconds);
        } else if (name == "pf") {
            ASSIGN_OR_RETURN(const std::uint64_t milliseconds, number(name));
            if (milliseconds == 0 || milliseconds > 1'000'000'000)
                return fail(Errc::usage, "-pf takes milliseconds");
            plan.poll = std::chrono::milliseconds(milliseconds);
        } else if (name == "w") {
            options_.waitFor = true;
        } else if (name == "pgid") {
            options_.group = true;
        } else if (name == "cancel") {
            options_.job = ProcdumpOptions::Job::cancel;
            ASSIGN_OR_RETURN(options_.target, value(name));
        } else if (name == "k") {
            plan.killAfterDump = true;
        } else if (name == "o") {
            options_.overwrite = true;
        } else if (name == "r") {
            options_.concurrent = 1;
            // A digit at the very end is a process.
            if (left_.size() > 1 && left_.front().size() == 1 && left_.front()[0] >= '1' &&
                left_.front()[0] <= '5')
                options_.concurrent = static_cast<unsigned>(take()[0] - '0');
        } else if (name == "a") {
            options_.avoidOutage = windows_ = true;
        } else if (name == "at") {
            ASSIGN_OR_RETURN(const std::uint64_t seconds, number(name));
            if (seconds == 0 || seconds > 1'000'000)
                return fail(Errc::usage, "-at takes a number of seconds");
            options_.timeout = std::chrono::seconds(seconds);
        } else if (name == "dc") {
            ASSIGN_OR_RETURN(options_.comment, value(name));
        } else if (name == "log") {
            ASSIGN_OR_RETURN(const std::string where, value(name));
            if (where != "syslog" && where != "stdout")
                return fail(Errc::usage, "-log takes syslog or stdout");
            options_.toSystemLog = where == "syslog";
        } else if (name == "x") {
            ASSIGN_OR_RETURN(options_.output, value(name));
            if (left_.empty()) return fail(Errc::usage, "-x needs a folder and a program");
            plan.target = monitor::TargetLaunch{{left_.begin(), left_.end()}};
            launched_ = windows_ = true;
        } else if (name == "i") {
            options_.job = ProcdumpOptions::Job::install;
        } else {
            return fail(Errc::usage, fmt::format("there is no switch -{}", name));
        }
        return {};
    }

    void kind(std::string_view name) {
        windows_ = options_.minidump = true;
        DumpType type;
        const auto add = [&](std::initializer_list<DumpFlag> flags) {
            for (const DumpFlag flag : flags)
                type.flags |= static_cast<std::uint32_t>(flag);
        };
        if (name == "mt") {
            add({DumpFlag::filter_memory, DumpFlag::filter_module_paths});
            kinds_.emplace(0, type);
            return;
        }
        add({DumpFlag::with_handle_data, DumpFlag::with_unloaded_modules,
             DumpFlag::with_process_thread_data, DumpFlag::with_full_memory_info,
             DumpFlag::with_thread_info});
        if (name == "ma") add({DumpFlag::with_full_memory});
        if (name == "mp")
            add({DumpFlag::with_private_read_write_memory, DumpFlag::with_data_segs,
                 DumpFlag::with_indirectly_referenced_memory});
        constexpr std::string_view ascending[] = {"mt", "mm", "md", "mp", "ma"};
        kinds_.emplace(std::ranges::find(ascending, name) - std::begin(ascending), type);
    }

    /// Linux' meaning: which mappings a core holds, as core(5) has it.
    Result<void> coreFilter() {
        ASSIGN_OR_RETURN(const std::string text, value("mc"));
        auto type = parseDumpType("coredump_filter=" + text);
        if (!type)
            return fail(Errc::usage,
                        "-mc takes a mask of coredump_filter (core(5)) in hexadecimal");
        options_.types = {*type};
        core_ = true;
        return {};
    }

    Result<void> signals() {
        ASSIGN_OR_RETURN(const std::string text, value("sig"));
        monitor::SignalSeen seen;
        for (const std::string_view part : split(text, ',')) {
            const auto number = signalByName(trim(part));
            if (!number) return fail(Errc::usage, fmt::format("-sig: `{}` is no signal", part));
            seen.numbers.push_back(static_cast<int>(*number));
        }
        options_.plan.triggers.emplace_back(std::move(seen));
        return {};
    }

    Result<ProcdumpOptions> conclude() {
        monitor::WatchPlan& plan = options_.plan;
        using Job = ProcdumpOptions::Job;
        if (options_.job == Job::help || options_.job == Job::examples) return options_;
        if (options_.job == Job::cancel) {
            if (!parseDecimal(options_.target))
                return fail(Errc::usage, "-cancel takes the number of a process");
            return options_;
        }
        for (const auto& [rank, type] : kinds_)
            options_.types.push_back(type);
        if (options_.job == Job::install) {
            if (!positional_.empty()) options_.output = positional_.front();
            if (!options_.callbackLibrary.empty())
                return fail(Errc::unsupported,
                            "-md: the crash handler runs as root and loads no library");
            return options_;
        }
        if (perCore_ && positional_.empty() && !launched_ && plan.triggers.empty()) {
            options_.job = Job::uninstall;
            return options_;
        }
        if (perCore_ && !cpu_) return fail(Errc::usage, "-u belongs to -c or -cl");
        if (!launched_) {
            if (positional_.empty()) return fail(Errc::usage, "a process is needed: PID or name");
            options_.target = positional_.front();
            if (positional_.size() > 1) options_.output = positional_[1];
            if (positional_.size() > 2)
                return fail(Errc::usage, fmt::format("`{}` is too much", positional_[2]));
            if (options_.waitFor) plan.target = monitor::TargetWaitFor{options_.target};
            if (options_.group) {
                const auto group = parseDecimal(options_.target);
                if (!group || options_.waitFor)
                    return fail(Errc::usage, "-pgid takes the number of a process group");
                plan.target = monitor::TargetGroup{*group};
            }
        } else if (!positional_.empty()) {
            return fail(Errc::usage, fmt::format("`{}` is too much", positional_.front()));
        }
        if (core_ && options_.minidump)
            return fail(Errc::usage,
                        "-mc writes a core here, -ma, -mm, -mp, -mt and -md a minidump");
        if (options_.avoidOutage && options_.concurrent == 0)
            return fail(Errc::usage, "-a belongs to -r");
        if (options_.types.empty()) options_.types = {DumpType{0, true}};
        // Linux counts 100 per processor, Windows 100 for the machine unless -u says otherwise.
        for (monitor::Trigger& trigger : plan.triggers) {
            if (auto* cpu = std::get_if<monitor::CpuLevel>(&trigger))
                cpu->oneCore = perCore_ || !windows_;
        }
        if (seconds_) {
            plan.hold = *seconds_;
        }
        plan.count = count_.value_or(plan.showOnly ? UINT32_MAX : std::max(thresholds_, 1U));
        if (plan.triggers.empty() && (count_ || seconds_)) {
            plan.triggers.emplace_back(monitor::Timer{});
            plan.gap = plan.hold;
        }
        return options_;
    }

    std::span<const std::string> left_;
    ProcdumpOptions options_;
    std::vector<std::string> positional_;
    std::optional<monitor::CpuLevel> cpu_;
    std::optional<std::uint32_t> count_;
    std::optional<std::chrono::milliseconds> seconds_;
    std::uint32_t thresholds_ = 0;
    std::map<std::ptrdiff_t, DumpType> kinds_;  ///< of minidumps, by their size
    bool perCore_ = false, windows_ = false, core_ = false, launched_ = false;
};

}  // namespace

Result<ProcdumpOptions> parseProcdump(const std::vector<std::string>& arguments) {
    return Parser(arguments).run();
}

}  // namespace icecore::app
