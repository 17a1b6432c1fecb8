// `icecore dump TARGET…`: freezes processes into files.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/callback_library.h"
#include "app/dump_run.h"
#include "app/dump_verb_watch.h"
#include "app/progress_bar.h"
#include "app/report.h"
#include "app/terminal.h"
#include "app/verbs.h"
#include "app/watch_cancel.h"
#include "base/text.h"
#include "formats/format.h"
#include "live/capture.h"

namespace icecore::app {

namespace {

#ifdef _WIN32
constexpr std::string_view systemFormat = "minidump";
#else
constexpr std::string_view systemFormat = "core";
#endif

constexpr double longestTimeout = 1e9;  ///< seconds

struct DumpOptions {
    std::vector<std::string> targets;
    std::vector<std::string> types;
    std::string format, output, compress, snapshot = "auto", progress = "auto";
    std::string comment, callback;
    std::optional<double> timeout;
    bool overwrite = false, json = false, all = false;
};

Result<DumpRequest> understand(const DumpOptions& options) {
    DumpRequest request;
    request.toStandardOutput = options.output == standardOutput;
    if (request.toStandardOutput && options.json)
        return fail(Errc::usage, "--json and `-o -` both need standard output");
    if (request.toStandardOutput && standardOutputIsTerminal())
        return fail(Errc::usage, "a dump does not go to a terminal: redirect standard output");

    if (!options.format.empty()) {
        request.format = formatByName(options.format);
        if (request.format == nullptr)
            return fail(Errc::usage, "--format: no format is called `" + options.format + "`");
    } else {
        request.format = namedFormat(options.output);
        if (request.format == nullptr) request.format = formatByName(systemFormat);
    }
    if (request.format == nullptr || request.format->write == nullptr)
        return fail(Errc::usage, "--format: this format cannot be written");

    // MiniDumpNormal; a core gets what the kernel would have kept.
    request.types.front().kernelDefault = request.format->name == "core";
    if (!options.types.empty()) request.types.clear();
    for (const std::string& text : options.types) {
        ASSIGN_OR_RETURN(const DumpType type, parseDumpType(text));
        request.types.push_back(type);
    }
    if (request.types.size() > 1 && request.toStandardOutput)
        return fail(Errc::usage, "only one dump goes to standard output");
    request.comment = options.comment;
    if (!options.callback.empty()) {
        if (request.format->name != "minidump")
            return fail(Errc::usage, "--callback decides what a minidump holds: --format minidump");
        ASSIGN_OR_RETURN(request.ask, callbackLibrary(options.callback));
    }
    if (options.timeout) {
        if (!(*options.timeout > 0) || *options.timeout > longestTimeout)
            return fail(Errc::usage, "--timeout takes a number of seconds");
        request.timeout =
            std::chrono::milliseconds(static_cast<std::int64_t>(*options.timeout * 1000));
    }

    using live::SnapshotMode;
    const auto modes = {SnapshotMode::automatic, SnapshotMode::clone, SnapshotMode::stop};
    const auto mode = std::ranges::find(modes, std::string_view(options.snapshot), modeName);
    if (mode == modes.end()) return fail(Errc::usage, "--snapshot takes auto, clone or stop");
    request.mode = *mode;

    const auto style = progressStyle(options.progress);
    if (!style) return fail(Errc::usage, "--progress takes auto, bar, plain or none");
    request.progress = *style;

    if (!options.compress.empty() && options.compress != "zstd" && options.compress != "none")
        return fail(Errc::usage, "--compress takes zstd or none");
    request.compress =
        options.compress == "zstd" || (options.compress.empty() && namesCompressed(options.output));
    request.overwrite = options.overwrite;
    request.output = options.output;
    return request;
}

class DumpVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.add_option("TARGET", options_.targets, "process ids or names");
        watch_.declare(command);
        command.footer(
            "-x PROGRAM ARGUMENTS…, last on the line: launch it, in a session of its own, and "
            "watch it from its beginning.");
        command.add_option("-o,--output", options_.output,
                           "file, directory, or - for standard output; %p pid, %e name, %h host, "
                           "%t time. Default: NAME_YYMMDD_HHMMSS.core or .dmp");
        command.add_option("-f,--format", options_.format,
                           "core or minidump; else the extension of -o decides");
        command
            .add_option("-t,--type", options_.types,
                        "mini, triage, heap, full, MINIDUMP_TYPE flags joined by | or ,, or "
                        "coredump_filter=MASK; several: a dump of each, of the same moment. "
                        "Default: a core what the kernel keeps, a minidump mini")
            ->allow_extra_args(false);
        command.add_option("--callback", options_.callback,
                           "a shared object whose MiniDumpCallbackRoutine decides what a minidump "
                           "holds");
        command.add_option("--comment", options_.comment, "a text that is kept in the dump");
        command.add_option("--timeout", options_.timeout,
                           "give a dump up that is not written within SECONDS");
        command.add_option("--compress", options_.compress,
                           "zstd (also by an -o that ends in .zst)");
        command.add_option("--snapshot", options_.snapshot,
                           "clone: the target goes on while its copy is read; stop: it stands "
                           "still; auto: clone where possible");
        command.add_flag("--all", options_.all, "all processes of a name, not only the single one");
        command.add_flag("--overwrite", options_.overwrite, "replace an existing file");
        command.add_flag("--json", options_.json, "the result as one JSON document");
        command.add_option("--progress", options_.progress, "auto, bar, plain or none");
    }

    /// What stands behind -x belongs to the program that is launched.
    void takeRest(std::vector<std::string>& arguments) override {
        const auto at = std::ranges::find_if(arguments, [](const std::string& argument) {
            return argument == "-x" || argument == "--launch";
        });
        if (at == arguments.end()) return;
        launch_.assign(at + 1, arguments.end());
        arguments.erase(at, arguments.end());
    }

    [[nodiscard]] int run() override {
        if (watch_.cancel) return cancel(*watch_.cancel);
        const auto request = understand(options_);
        if (!request) {
            printError("dump", request.error());
            return usage;
        }
        const int named = !options_.targets.empty() + !watch_.waitFor.empty() + !launch_.empty() +
                          watch_.group.has_value();
        if (named != 1) {
            printError("dump", {Errc::usage,
                                "a TARGET is needed, or -w NAME, or --pgid GROUP, or -x PROGRAM",
                                {},
                                {}});
            return usage;
        }
        bool failedOne = false;
        const std::vector<std::uint64_t> pids = resolveAll(failedOne);
        if ((watch_.given() || !launch_.empty()) && !failedOne) return runWatch(pids, *request);
        if (pids.size() > 1 && (namesOneFile(options_.output))) {
            printError("dump", "several targets need a directory or a name with %p behind -o");
            return usage;
        }
        // A name that several processes have says nothing about which one is meant: none is dumped.
        if (failedOne) return failed;
        const SignalGuard signals;
        DumpRun dumps(*request, [&](const DumpOutcome& outcome) { take(outcome, *request); });
        for (const std::uint64_t pid : pids) {
            const auto taken = dumps.dump({.pid = pid});
            if (taken) continue;
            failedOne = true;
            report(pid, taken.error());
            if (SignalGuard::stopRequested()) break;
        }
        printResults();
        return failedOne ? failed : lossy_ ? doneWithLosses : done;
    }

private:
    /// Waits for what the options name, and dumps then.
    [[nodiscard]] int runWatch(const std::vector<std::uint64_t>& pids, DumpRequest request) {
        auto plan = watch_.plan();
        if (plan && pids.size() > 1)
            plan = fail(Errc::usage, "only one process at a time can be waited for");
        if (plan && watch_.count > 1 && request.toStandardOutput)
            plan = fail(Errc::usage, "only one dump goes to standard output");
        if (!plan) {
            printError("dump", plan.error());
            return usage;
        }
        if (!launch_.empty())
            plan->target = monitor::TargetLaunch{launch_};
        else if (watch_.group)
            plan->target = monitor::TargetGroup{*watch_.group};
        else if (pids.empty())
            plan->target = monitor::TargetWaitFor{watch_.waitFor};
        else
            plan->target = monitor::TargetPid{pids.front()};
        request.concurrent = watch_.concurrent;
        request.avoidOutage = watch_.avoidOutage;
        const SignalGuard signals;
        WatchCancel cancel;
        DumpRun dumps(request, [&](const DumpOutcome& outcome) { take(outcome, request); });
        const auto report = monitor::watch(
            *plan,
            [&](const monitor::DumpReason& reason) {
                return dumps.dump({reason.pid, reason.freeze, reason.code, std::string(reason.kind),
                                   reason.text});
            },
            [&](const monitor::WatchEvent& event) {
                using Kind = monitor::WatchEventKind;
                if (event.kind == Kind::watching) cancel.listen(event.pid);
                if (event.kind == Kind::watching && !plan->triggers.empty())
                    say(event.pid, "watching");
                if (event.text.empty()) return;
                say(event.pid, printable(event.text) + (event.kind == Kind::seen ? " (kept out)"
                                                        : event.kind == Kind::leftOut
                                                            ? " (left out: dumps are being written)"
                                                            : ""));
            },
            [&] { return SignalGuard::stopRequested() || cancel.requested(); });
        dumps.finish();
        printResults();
        const std::string who = !launch_.empty() ? launch_.front()
                                : watch_.group   ? fmt::format("process group {}", *watch_.group)
                                : pids.empty()   ? watch_.waitFor
                                                 : std::to_string(pids.front());
        if (!report) {
            printError(who, report.error());
            return failed;
        }
        for (const std::vector<Error>& errors : {report->failed, dumps.failures()}) {
            for (const Error& error : errors)
                printError(who, error);
        }
        if (report->dumps == 0) {
            printError(who, std::string(endText(report->end)));
            return failed;
        }
        return !report->failed.empty() || !dumps.failures().empty() ? failed
               : lossy_                                             ? doneWithLosses
                                                                    : done;
    }

    /// What is said while watching.
    void say(std::uint64_t pid, std::string_view text) const {
        const std::string line = fmt::format("{}: {}", pid, text);
        if (watch_.log == "syslog")
            systemLog(line);
        else
            fmt::print(stderr, "{}\n", line);
    }

    /// One dump is written.
    void take(const DumpOutcome& outcome, const DumpRequest& request) {
        lossy_ |= outcome.lossy();
        if (options_.json)
            results_.push_back(outcomeJson(outcome, request));
        else
            print(outcome, request);
    }

    void printResults() const {
        if (options_.json && !results_.empty())
            printJson(results_.size() == 1 ? results_.front() : results_);
    }

    [[nodiscard]] static int cancel(std::uint64_t pid) {
        const auto count = cancelWatches(pid);
        if (!count || *count == 0) {
            printError(std::to_string(pid),
                       count ? Error{Errc::not_found, "nobody watches it", {}, {}} : count.error());
            return failed;
        }
        fmt::print("{} watches of {} end\n", *count, pid);
        return done;
    }

    static std::string_view endText(monitor::WatchEnd end) {
        switch (end) {
        case monitor::WatchEnd::targetEnded: return "it ended, and nothing had been dumped";
        case monitor::WatchEnd::duration: return "the time is over, and nothing had been dumped";
        case monitor::WatchEnd::cancelled: return "cancelled: nothing had been dumped";
        case monitor::WatchEnd::count: break;
        }
        return "nothing had been dumped";
    }

    std::vector<std::uint64_t> resolveAll(bool& failedOne) const {
        std::vector<std::uint64_t> pids;
        for (const std::string& target : options_.targets) {
            const auto found = resolve(target);
            failedOne |= found.empty();
            for (const std::uint64_t pid : found) {
                if (std::ranges::find(pids, pid) == pids.end()) pids.push_back(pid);
            }
        }
        return pids;
    }

    [[nodiscard]] std::vector<std::uint64_t> resolve(const std::string& target) const {
        if (const auto pid = parseDecimal(target)) return {*pid};
        const auto matches = live::findProcesses(target);
        if (matches.empty()) {
            printError(target, "no process of this name is running");
            return {};
        }
        if (matches.size() > 1 && !options_.all) {
            printError(target, fmt::format("{} processes have this name: give one's pid, or --all",
                                           matches.size()));
            for (const live::ProcessName& match : matches)
                fmt::print(stderr, "  {:>8}  {}\n", match.pid, printable(match.commandLine));
            return {};
        }
        std::vector<std::uint64_t> pids;
        pids.reserve(matches.size());
        for (const live::ProcessName& match : matches)
            pids.push_back(match.pid);
        return pids;
    }

    static void report(std::uint64_t pid, const Error& error) {
        if (error.code == Errc::cancelled) {
            printError(std::to_string(pid), "cancelled: no file is left, the target goes on");
            return;
        }
        printError(std::to_string(pid), error);
    }

    static void print(const DumpOutcome& outcome, const DumpRequest& request) {
        fmt::print(request.toStandardOutput ? stderr : stdout, "{}\n",
                   closingLine(outcome, request));
        const std::string target = std::to_string(outcome.process.pid);
        if (!outcome.report.unread.empty()) printError(target, unreadText(outcome.report.unread));
        printIssues(target, outcome.issues);
        printIssues(target, outcome.report.losses);
    }

    DumpOptions options_;
    WatchOptions watch_;
    std::vector<std::string> launch_;  ///< -x: the program and its arguments
    Json results_ = Json::array();
    bool lossy_ = false;
};

}  // namespace

std::unique_ptr<VerbRun> makeDumpVerb() {
    return std::make_unique<DumpVerb>();
}

}  // namespace icecore::app
