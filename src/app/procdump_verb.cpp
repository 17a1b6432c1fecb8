// `icecore procdump …`, or icecore under the name procdump: ProcDump's command line.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/dump_run.h"
#include "app/handler_verb.h"
#include "app/procdump_options.h"
#include "app/program.h"
#include "app/report.h"
#include "app/terminal.h"
#include "app/verbs.h"
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
        case Job::watch: break;
        }
        for (const std::string& note : options_.notes)
            say("INFO", note);
        if (!std::holds_alternative<monitor::TargetLaunch>(options_.plan.target) &&
            !options_.waitFor) {
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
        if (!options_.output.empty()) line.push_back(options_.output);
        return runProgram(line);
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

    [[nodiscard]] DumpRequest request() {
        DumpRequest request;
        request.format = formatByName(options_.minidump ? "minidump" : "core");
        request.type = options_.type;
        request.overwrite = options_.overwrite;
        request.output = options_.output;
        if (!options_.minidump)
            request.name = [this](const NameParts& parts) { return coreName(parts, kind_); };
        return request;
    }

    [[nodiscard]] int watch() {
        const SignalGuard signals;
        const DumpRequest how = request();
        DumpRun dumps(how);
        std::uint32_t count = 0;
        say("INFO", "Press Ctrl-C to end monitoring without terminating the process.");
        const auto report = monitor::watch(
            options_.plan,
            [&](const monitor::DumpReason& reason) -> Result<void> {
                kind_ = reason.kind;
                ASSIGN_OR_RETURN(const DumpOutcome outcome,
                                 dumps.dump(reason.pid, reason.freeze, reason.code));
                if (options_.minidump)
                    say("INFO", fmt::format("Dump {} complete: {} written to {}", count + 1,
                                            humanBytes(outcome.fileBytes), outcome.path));
                else
                    say("INFO", fmt::format("Core dump {} generated: {}", count, outcome.path));
                ++count;
                return {};
            },
            [&](const monitor::WatchEvent& event) { tell(event); }, SignalGuard::stopRequested);
        if (!report) {
            say("ERROR", report.error().describe());
            fmt::print(stderr, "icecore procdump: {}\n", report.error().describe());
            return couldNotBegin;
        }
        for (const Error& error : report->failed)
            say("ERROR", error.describe());
        switch (report->end) {
        case monitor::WatchEnd::count: say("INFO", "Dump count reached."); break;
        case monitor::WatchEnd::targetEnded: say("INFO", "The process has exited."); break;
        case monitor::WatchEnd::duration:
        case monitor::WatchEnd::cancelled: say("INFO", "Monitoring has ended."); break;
        }
        return report->failed.empty() ? done : couldNotBegin;
    }

    void tell(const monitor::WatchEvent& event) const {
        using Kind = monitor::WatchEventKind;
        if (event.kind == Kind::triggered)
            say("INFO", fmt::format("Trigger: {} on process ID: {}", event.text, event.pid));
        if (event.kind == Kind::seen) say("INFO", fmt::format("Not included: {}", event.text));
    }

    std::vector<std::string> arguments_;
    ProcdumpOptions options_;
    std::string kind_ = "manual";
};

}  // namespace

std::unique_ptr<VerbRun> makeProcdumpVerb() {
    return std::make_unique<ProcdumpVerb>();
}

}  // namespace icecore::app
