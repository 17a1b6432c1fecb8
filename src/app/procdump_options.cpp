#include "app/procdump_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
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
    {"md", 1, "asks a callback library what to keep: not built yet"},
    {"h", 0, "waits for a hung window: there is no source for that here yet"},
    {"l", 0, "shows the target's debug output: there is no source for that here yet"},
    {"pgid", 1, "watches a whole process group: only one process is watched at a time so far"},
    {"cancel", 1, "ends another watch by its event: send that one SIGINT instead"},
    {"at", 1, "gives a dump up after so long: not built yet; -r keeps the pause short instead"},
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
    {"a", 0,
     "-a skips dumps that would stop the target for too long on Windows: with a clone (-r) "
     "none does"},
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
        } else if (name == "mc") {
            return coreFilter();
        } else if (name == "c" || name == "cl") {
            ASSIGN_OR_RETURN(const std::uint64_t percent, number(name));
            cpu_ = monitor::CpuLevel{name == "c" ? Comparison::above : Comparison::below,
                                     static_cast<double>(percent), false};
            plan.triggers.emplace_back(*cpu_);
        } else if (name == "u") {
            perCore_ = true;
        } else if (name == "m" || name == "ml") {
            ASSIGN_OR_RETURN(auto levels, numbers(name));
            // One dump each.
            thresholds_ = std::max(thresholds_, static_cast<std::uint32_t>(levels.size()));
            plan.triggers.emplace_back(monitor::CommitLevel{
                name == "m" ? Comparison::above : Comparison::below, std::move(levels)});
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
            level.comparison = name == "p" ? Comparison::above : Comparison::below;
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
        } else if (name == "k") {
            plan.killAfterDump = true;
        } else if (name == "o") {
            options_.overwrite = true;
        } else if (name == "r") {
            options_.clone = true;
            if (!left_.empty() && left_.front().size() == 1 && left_.front()[0] >= '1' &&
                left_.front()[0] <= '5' && left_.size() > 1)
                take();
        } else if (name == "dc") {
            TRY(value(name));
            options_.notes.emplace_back("-dc puts a comment into the dump: not written yet");
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
        options_.type = {};
        const auto add = [&](std::initializer_list<DumpFlag> flags) {
            for (const DumpFlag flag : flags)
                options_.type.flags |= static_cast<std::uint32_t>(flag);
        };
        if (name == "mt") {
            add({DumpFlag::filter_memory, DumpFlag::filter_module_paths});
            return;
        }
        add({DumpFlag::with_handle_data, DumpFlag::with_unloaded_modules,
             DumpFlag::with_process_thread_data, DumpFlag::with_full_memory_info,
             DumpFlag::with_thread_info});
        if (name == "ma") add({DumpFlag::with_full_memory});
        if (name == "mp")
            add({DumpFlag::with_private_read_write_memory, DumpFlag::with_data_segs,
                 DumpFlag::with_indirectly_referenced_memory});
    }

    /// Linux' meaning: which mappings a core holds, as core(5) has it.
    Result<void> coreFilter() {
        const Result<std::string> text = value("mc");
        if (!text) return std::unexpected(text.error());
        const auto mask = parseHex(*text);
        if (!mask) return fail(Errc::usage, "-mc takes a mask in hexadecimal");
        constexpr std::uint64_t anonymous = 0x3, files = 0xc;
        core_ = true;
        if ((*mask & files) != 0) {
            options_.type = {static_cast<std::uint32_t>(DumpFlag::with_full_memory), false};
        } else if ((*mask & anonymous) != 0) {
            options_.type = {0, true};
        } else {
            options_.type = {0, false};
        }
        if (*mask != 0x33 && *mask != 0x7f && *mask != 0xff && *mask != 0)
            options_.notes.push_back(fmt::format(
                "-mc {}: {}", hex(*mask),
                (*mask & files) != 0       ? "everything is kept that is mapped"
                : (*mask & anonymous) != 0 ? "all anonymous memory is kept, private and shared"
                                           : "stacks and headers are kept"));
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
        if (options_.job == Job::install) {
            if (!positional_.empty()) options_.output = positional_.front();
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
        } else if (!positional_.empty()) {
            return fail(Errc::usage, fmt::format("`{}` is too much", positional_.front()));
        }
        if (core_ && options_.minidump)
            return fail(Errc::usage, "-mc writes a core here, -ma, -mm, -mp and -mt a minidump");
        if (!core_ && !options_.minidump) options_.type = {0, true};
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
    bool perCore_ = false, windows_ = false, core_ = false, launched_ = false;
};

}  // namespace

Result<ProcdumpOptions> parseProcdump(const std::vector<std::string>& arguments) {
    return Parser(arguments).run();
}

std::string procdumpUsage() {
    return "procdump, the command line of ProcDump (Windows and Linux), by icecore\n"
           "\n"
           "   procdump [-mm] [-ma] [-mt] [-mp] [-mc Mask] [-n Count] [-s Seconds]\n"
           "            [-c|-cl CPU_Usage [-u]] [-m|-ml Commit_Usage[,...]]\n"
           "            [-p|-pl Counter Threshold] [-tc Threads] [-fc Descriptors]\n"
           "            [-sig Signal[,...]]\n"
           "            [-e [1]] [-t] [-ld] [-ud] [-ct] [-et]\n"
           "            [-f Include_Filter,...] [-fx Exclude_Filter,...]\n"
           "            [-o] [-k] [-r [1..5]] [-pf Milliseconds] [-log syslog|stdout]\n"
           "            { [-w] Process_Name | PID } [Dump_File | Dump_Folder]\n"
           "   procdump [...] -x Dump_Folder Program [Argument ...]\n"
           "   procdump -i [Dump_Folder]      be the system's crash handler\n"
           "   procdump -u                    no longer be it\n"
           "   procdump -? -e                 examples\n"
           "\n"
           "-ma, -mm, -mp and -mt write minidumps; otherwise a core is written. Where the two\n"
           "ProcDumps differ, docs/triggers.md says what holds here.\n";
}

std::string procdumpExamples() {
    return "A dump of everything, now:\n"
           "   procdump -ma 1234\n"
           "Three dumps five seconds apart:\n"
           "   procdump -s 5 -n 3 notepad\n"
           "When it uses more than 80 % of a processor for 10 seconds:\n"
           "   procdump -c 80 -s 10 1234\n"
           "When it has committed more than 100 MB, and again at 200 MB:\n"
           "   procdump -m 100,200 1234\n"
           "When a performance counter passes a mark (`icecore counters PID` lists them):\n"
           "   procdump -ma -p \"\\Process(program_1234)\\Thread Count\" 85 1234\n"
           "When it crashes:\n"
           "   procdump -ma -e 1234\n"
           "When anything is thrown or faults, before it is handled:\n"
           "   procdump -ma -n 10 -e 1 1234\n"
           "When a certain exception is thrown:\n"
           "   procdump -ma -e 1 -f \"std::bad_alloc\" 1234\n"
           "What is thrown, without a dump:\n"
           "   procdump -e 1 -f \"\" 1234\n"
           "When it ends, while its memory is still there:\n"
           "   procdump -ma -t 1234\n"
           "When a program of this name starts and crashes:\n"
           "   procdump -ma -e -w notepad\n"
           "Launched, and watched from its beginning:\n"
           "   procdump -ma -e -x /tmp/dumps ./program argument\n"
           "Every crash of the system from now on:\n"
           "   procdump -i /var/crash\n";
}

}  // namespace icecore::app
