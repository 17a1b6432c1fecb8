// `icecore procdump …`, or icecore under the name procdump: ProcDump's command line.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "app/callback_library.h"
#include "app/dump_run.h"
#include "app/handler_verb.h"
#include "app/procdump_options.h"
#include "app/program.h"
#include "app/report.h"
#include "app/terminal.h"
#include "app/verbs.h"
#include "app/watch_cancel.h"
#include "base/text.h"
#include "monitor/watch.h"

namespace icecore::app {

namespace {

/// ProcDump for Linux ends with -1 when it cannot begin; with 0 otherwise, whether or not anything
/// was dumped.
constexpr int couldNotBegin = 255;

class ProcdumpVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.footer("The switches are those of ProcDump: see `icecore procdump -?`.");
    }
    void takeRest(std::vector<std::string>& arguments) override {
        // The one word that is every verb's; -h is ProcDump's own.
        if (arguments == std::vector<std::string>{"--help"}) return;
        arguments_ = std::move(arguments);
        arguments.clear();
    }

    [[nodiscard]] int run() override {
        auto parsed = parseProcdump(arguments_);
        if (!parsed) {
            say("ERROR", parsed.error().message);
            fmt::print(stderr, "icecore procdump: {}; see `procdump -?`\n", parsed.error().message);
            return couldNotBegin;
        }
        options_ = *std::move(parsed);
        using Job = ProcdumpOptions::Job;
        switch (options_.job) {
        case Job::help: fmt::print("{}", procdumpUsage()); return done;
        case Job::examples: fmt::print("{}", procdumpExamples()); return done;
        case Job::install: return handler("install");
        case Job::uninstall: return handler("uninstall");
        case Job::cancel: return cancel();
        case Job::watch: break;
        }
        for (const std::string& note : options_.notes)
            say("INFO", note);
        if (!std::holds_alternative<monitor::TargetLaunch>(options_.plan.target) &&
            !options_.waitFor && !options_.group) {
            const auto pid = findTarget();
            if (!pid) {
                fmt::print(stderr, "icecore procdump: {}\n", pid.error().describe());
                return couldNotBegin;
            }
            options_.plan.target = monitor::TargetPid{*pid};
        }
        return watch();
    }

private:
    void say(std::string_view level, std::string_view text) const {
        const std::string line =
            fmt::format("[{} - {}]: {}",
                        timeStamp(std::chrono::duration_cast<std::chrono::seconds>(
                                      std::chrono::system_clock::now().time_since_epoch())
                                      .count())
                            .substr(7),
                        level, printable(text));
        if (options_.toSystemLog)
            systemLog(line);
        else
            fmt::print("{}\n", line);
        std::fflush(stdout);
    }

    [[nodiscard]] int handler(const std::string& job) const {
        std::vector<std::string> line{"handler", job};
        if (job == "install") {
            // As ProcDump: the folder it is started in.
            std::error_code ignored;
            line.push_back(options_.output.empty() ? std::filesystem::current_path(ignored).string()
                                                   : options_.output);
            line.insert(line.end(), {"--format", options_.minidump ? "minidump" : "core"});
            // One dump for each crash: the largest that was asked for.
            if (!options_.types.empty())
                line.insert(line.end(), {"--type", toString(options_.types.back())});
            if (options_.timeout)
                line.insert(line.end(), {"--timeout", std::to_string(options_.timeout->count())});
        }
        return runProgram(line);
    }

    [[nodiscard]] int cancel() const {
        const auto count = cancelWatches(*parseDecimal(options_.target));
        if (!count || *count == 0) {
            fmt::print(
                stderr, "icecore procdump: {}\n",
                count ? "nobody watches process " + options_.target : count.error().describe());
            return couldNotBegin;
        }
        say("INFO", fmt::format("{} watches of process {} end.", *count, options_.target));
        return done;
    }

    [[nodiscard]] Result<std::uint64_t> findTarget() const {
        if (const auto pid = parseDecimal(options_.target)) return *pid;
        const auto found = live::findProcesses(options_.target);
        if (found.empty())
            return fail(Errc::not_found, "no process matches the specified name", options_.target);
        if (found.size() > 1) {
            std::string pids;
            for (const live::ProcessName& process : found)
                pids += fmt::format(" {}", process.pid);
            return fail(Errc::usage, "multiple processes match the specified name:" + pids,
                        options_.target);
        }
        return found.front().pid;
    }

    /// ProcDump for Linux: PROCESS_KIND_YYMMDD_HHMMSS.PID, and a given name gets .PID behind it.
    [[nodiscard]] std::string coreName(const NameParts& parts, std::string_view kind) const {
        const std::string pid = fmt::format(".{}", parts.pid);
        std::string directory = options_.output;
        std::error_code ignored;
        if (!directory.empty() && !directory.ends_with('/') &&
            !std::filesystem::is_directory(directory, ignored))
            return expandName(directory, parts) + pid;
        if (!directory.empty() && !directory.ends_with('/')) directory += '/';
        NameParts named = parts;
        if (named.process.empty()) named.process = "process";
        return directory +
               expandName(fmt::format("%e_{}_{}", kind, timeStamp(parts.unixSeconds)), named) + pid;
    }

    [[nodiscard]] Result<DumpRequest> request() {
        DumpRequest request;
        request.format = formatByName(options_.minidump ? "minidump" : "core");
        request.types = options_.types;
        request.comment = options_.comment;
        request.timeout = options_.timeout;
        request.concurrent = options_.concurrent;
        request.avoidOutage = options_.avoidOutage;
        if (!options_.callbackLibrary.empty()) {
            ASSIGN_OR_RETURN(request.ask, callbackLibrary(options_.callbackLibrary));
        }
        request.overwrite = options_.overwrite;
        request.output = options_.output;
        if (!options_.minidump)
            request.name = [this](const NameParts& parts) { return coreName(parts, kind_); };
        return request;
    }

    [[nodiscard]] int watch() {
        const auto how = request();
        if (!how) {
            say("ERROR", how.error().describe());
            fmt::print(stderr, "icecore procdump: {}\n", how.error().describe());
            return couldNotBegin;
        }
        const SignalGuard signals;
        std::uint32_t count = 0;
        DumpRun dumps(*how, [&](const DumpOutcome& outcome) {
            if (options_.minidump)
                say("INFO", fmt::format("Dump {} complete: {} written to {}", count + 1,
                                        humanBytes(outcome.fileBytes), outcome.path));
            else
                say("INFO", fmt::format("Core dump {} generated: {}", count, outcome.path));
            ++count;
        });
        say("INFO", "Press Ctrl-C to end monitoring without terminating the process.");
        const auto report = monitor::watch(
            options_.plan,
            [&](const monitor::DumpReason& reason) {
                kind_ = reason.kind;
                return dumps.dump({reason.pid, reason.freeze, reason.code, std::string(reason.kind),
                                   reason.text});
            },
            [&](const monitor::WatchEvent& event) { tell(event); },
            [&] { return SignalGuard::stopRequested() || cancel_.requested(); });
        dumps.finish();
        if (!report) {
            say("ERROR", report.error().describe());
            fmt::print(stderr, "icecore procdump: {}\n", report.error().describe());
            return couldNotBegin;
        }
        for (const std::vector<Error>& errors : {report->failed, dumps.failures()}) {
            for (const Error& error : errors)
                say("ERROR", error.describe());
        }
        switch (report->end) {
        case monitor::WatchEnd::count: say("INFO", "Dump count reached."); break;
        case monitor::WatchEnd::targetEnded: say("INFO", "The process has exited."); break;
        case monitor::WatchEnd::duration:
        case monitor::WatchEnd::cancelled: say("INFO", "Monitoring has ended."); break;
        }
        return report->failed.empty() && dumps.failures().empty() ? done : couldNotBegin;
    }

    void tell(const monitor::WatchEvent& event) {
        using Kind = monitor::WatchEventKind;
        if (event.kind == Kind::watching) {
            cancel_.listen(event.pid);
            say("INFO", fmt::format("Starting monitor for process {} ({})",
                                    live::processName(event.pid), event.pid));
        }
        if (event.kind == Kind::leftOut)
            say("INFO", fmt::format("Skipped (-a), dumps are being written: {}", event.text));
        if (event.kind == Kind::triggered)
            say("INFO", fmt::format("Trigger: {} on process ID: {}", event.text, event.pid));
        if (event.kind == Kind::seen) say("INFO", fmt::format("Not included: {}", event.text));
    }

    std::vector<std::string> arguments_;
    ProcdumpOptions options_;
    WatchCancel cancel_;
    std::string kind_ = "manual";
};

}  // namespace

std::unique_ptr<VerbRun> makeProcdumpVerb() {
    return std::make_unique<ProcdumpVerb>();
}

}  // namespace icecore::app
