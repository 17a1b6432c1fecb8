// `icecore dump TARGET…`: freezes processes into files.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>

#include "app/dump_names.h"
#include "app/dump_verb_watch.h"
#include "app/progress_bar.h"
#include "app/report.h"
#include "app/terminal.h"
#include "app/verbs.h"
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
constexpr std::string_view standardOutput = "-";
constexpr int compressionLevel = 3;
/// Ranges that the text lists; --json lists all.
constexpr std::size_t shownRanges = 5;

struct DumpOptions {
    std::vector<std::string> targets;
    std::string type, format, output, compress, snapshot = "auto", progress = "auto";
    bool overwrite = false, json = false, all = false;
};

/// What the options come down to, the same for every target.
struct Request {
    const Format* format = nullptr;
    DumpType type;
    live::SnapshotMode mode = live::SnapshotMode::automatic;
    ProgressStyle progress = ProgressStyle::none;
    bool compress = false;
    bool toStandardOutput = false;
};

struct Outcome {
    NameParts process;
    std::string path;
    WriteReport report;
    Issues issues;
    std::uint64_t fileBytes = 0;
    std::size_t threads = 0, regions = 0;
    live::SnapshotMode mode = live::SnapshotMode::automatic;
    std::string fallbackReason;
    std::chrono::nanoseconds pause{};

    [[nodiscard]] bool lossy() const {
        return !report.unread.empty() || report.losses.lossy() || issues.lossy();
    }
};

std::string_view modeName(live::SnapshotMode mode) {
    switch (mode) {
    case live::SnapshotMode::automatic: return "auto";
    case live::SnapshotMode::clone: return "clone";
    case live::SnapshotMode::stop: return "stop";
    }
    return "auto";
}

double milliseconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double, std::milli>(time).count();
}

/// Counts what goes into the file behind a compressor.
class CountingSink final : public Sink {
public:
    CountingSink(std::unique_ptr<Sink> inner, std::uint64_t& count)
        : inner_(std::move(inner)), count_(count) {}
    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override {
        TRY(inner_->write(bytes));
        return advance();
    }
    [[nodiscard]] Result<void> zeros(std::uint64_t count) override {
        TRY(inner_->zeros(count));
        return advance();
    }
    [[nodiscard]] bool canPatch() const override { return inner_->canPatch(); }
    [[nodiscard]] Result<void> patch(std::uint64_t offset,
                                     std::span<const std::byte> bytes) override {
        return inner_->patch(offset, bytes);
    }
    [[nodiscard]] Result<void> finish() override { return inner_->finish(); }

private:
    Result<void> advance() {
        position_ = count_ = inner_->position();
        return {};
    }
    std::unique_ptr<Sink> inner_;
    std::uint64_t& count_;
};

Result<Request> understand(const DumpOptions& options) {
    Request request;
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

    if (!options.type.empty()) {
        ASSIGN_OR_RETURN(request.type, parseDumpType(options.type));
    } else {
        // MiniDumpNormal; a core gets what the kernel would have kept.
        request.type.kernelDefault = request.format->name == "core";
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
    return request;
}

class DumpRun {
public:
    DumpRun(const DumpOptions& options, const Request& request)
        : options_(options), request_(request) {}

    Result<Outcome> dump(std::uint64_t pid) {
        Outcome outcome;
        outcome.process.pid = pid;
        outcome.process.process = processName(pid);
        outcome.process.host = hostName();
        outcome.process.unixSeconds = std::chrono::duration_cast<std::chrono::seconds>(
                                          std::chrono::system_clock::now().time_since_epoch())
                                          .count();
        outcome.path = request_.toStandardOutput ? std::string(standardOutput)
                                                 : outputPath(options_.output, outcome.process,
                                                              *request_.format, request_.compress)
                                                       .string();
        // Before the target is touched for nothing.
        TRY(checkFree(outcome.path));

        ProgressBar progress(request_.progress);
        live::CaptureOptions capture;
        capture.mode = request_.mode;
        capture.type = request_.type;
        ASSIGN_OR_RETURN(auto frozen, live::freeze(pid, capture, progress));
        TRY(write(*frozen, outcome, progress));
        return outcome;
    }

private:
    [[nodiscard]] Result<void> checkFree(const std::string& path) const {
        if (request_.toStandardOutput || options_.overwrite) return {};
        std::error_code ignored;
        const auto status = std::filesystem::symlink_status(path, ignored);
        if (std::filesystem::exists(status)) return fail(Errc::exists, "already exists", path);
        return {};
    }

    Result<std::unique_ptr<Sink>> openSink(const live::FrozenProcess& frozen,
                                           Outcome& outcome) const {
        std::unique_ptr<Sink> sink;
        if (request_.toStandardOutput) {
            sink = descriptorSink(binaryStandardOutput(), "standard output");
        } else {
            FileSinkOptions file;
            file.overwrite = options_.overwrite;
            // How far it can be compressed is not known before.
            file.expected = request_.compress
                                ? 0
                                : presentBytes(frozen.plan(), *frozen.snapshot().process->memory);
            ASSIGN_OR_RETURN(sink, createFileSink(outcome.path, file));
        }
        sink = std::make_unique<CountingSink>(std::move(sink), outcome.fileBytes);
        if (!request_.compress) return sink;
        return compressZstd(std::move(sink), compressionLevel, 0);
    }

    Result<void> write(live::FrozenProcess& frozen, Outcome& outcome, ProgressBar& progress) {
        ASSIGN_OR_RETURN(auto sink, openSink(frozen, outcome));
        const Snapshot& snapshot = frozen.snapshot();
        outcome.issues = snapshot.issues;
        outcome.threads = snapshot.process->threads.size();
        outcome.regions = snapshot.process->regions.size();
        outcome.mode = frozen.mode();
        outcome.fallbackReason = frozen.fallbackReason();
        ASSIGN_OR_RETURN(outcome.report,
                         request_.format->write(snapshot, frozen.plan(), *sink, progress));
        // A stopped target need not wait for the disk.
        frozen.release();
        outcome.pause = frozen.pause();
        if (progress.cancelled()) return fail(Errc::cancelled, "cancelled");
        return sink->finish();
    }

    const DumpOptions& options_;
    const Request& request_;
};

std::string closingLine(const Outcome& outcome, const Request& request) {
    std::string text = fmt::format(
        "{}: {} ({} bytes), {} of {} (pid {}), {}, {} threads, {} regions; stood still for {:.1f} "
        "ms ({})",
        outcome.path == standardOutput ? "standard output" : printable(outcome.path),
        humanBytes(outcome.fileBytes), outcome.fileBytes, request.format->description,
        printable(outcome.process.process), outcome.process.pid, toString(request.type),
        outcome.threads, outcome.regions, milliseconds(outcome.pause), modeName(outcome.mode));
    if (!outcome.fallbackReason.empty())
        text += fmt::format("; not cloned: {}", printable(outcome.fallbackReason));
    return text;
}

std::string unreadText(const std::vector<Range>& unread) {
    std::uint64_t bytes = 0;
    for (const Range& range : unread)
        bytes += range.size();
    std::string text =
        fmt::format("lost: {} in {} ranges could not be read:", humanBytes(bytes), unread.size());
    for (const Range& range : std::span(unread).first(std::min(unread.size(), shownRanges)))
        text += fmt::format(" {}-{}", hex(range.begin()), hex(range.end()));
    if (unread.size() > shownRanges) text += " …";
    return text;
}

Json outcomeJson(const Outcome& outcome, const Request& request) {
    Json unread = Json::array();
    for (const Range& range : outcome.report.unread)
        unread.push_back({{"begin", hex(range.begin())}, {"end", hex(range.end())}});
    Issues issues = outcome.issues;
    issues.append(outcome.report.losses);
    Json json = {{"path", outcome.path},
                 {"format", request.format->name},
                 {"type", toString(request.type)},
                 {"bytes", outcome.fileBytes},
                 {"content_bytes", outcome.report.bytes},
                 {"zero_bytes", outcome.report.zeroBytes},
                 {"compression", request.compress ? "zstd" : "none"},
                 {"pid", outcome.process.pid},
                 {"process", outcome.process.process},
                 {"pause_ms", milliseconds(outcome.pause)},
                 {"snapshot", modeName(outcome.mode)},
                 {"threads", outcome.threads},
                 {"regions", outcome.regions},
                 {"unread", std::move(unread)},
                 {"issues", issuesJson(issues)}};
    if (!outcome.fallbackReason.empty()) json["fallback_reason"] = outcome.fallbackReason;
    return json;
}

class DumpVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.add_option("TARGET", options_.targets, "process ids or names");
        watch_.declare(command);
        command.add_option("-o,--output", options_.output,
                           "file, directory, or - for standard output; %p pid, %e name, %h host, "
                           "%t time. Default: NAME_YYMMDD_HHMMSS.core or .dmp");
        command.add_option("-f,--format", options_.format,
                           "core or minidump; else the extension of -o decides");
        command.add_option("-t,--type", options_.type,
                           "mini, triage, heap, full, or MINIDUMP_TYPE flags joined by | or ,. "
                           "Default: a core what the kernel keeps, a minidump mini");
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

    [[nodiscard]] int run() override {
        const auto request = understand(options_);
        if (!request) {
            printError("dump", request.error());
            return usage;
        }
        if (options_.targets.empty() == watch_.waitFor.empty()) {
            printError("dump", {Errc::usage, "a TARGET is needed, or -w NAME", {}, {}});
            return usage;
        }
        bool failedOne = false;
        const std::vector<std::uint64_t> pids = resolveAll(failedOne);
        if (watch_.given() && !failedOne) return runWatch(pids, *request);
        if (pids.size() > 1 && (namesOneFile(options_.output))) {
            printError("dump", "several targets need a directory or a name with %p behind -o");
            return usage;
        }
        // A name that several processes have says nothing about which one is meant: none is dumped.
        if (failedOne) return failed;
        const SignalGuard signals;
        DumpRun dumps(options_, *request);
        Json results = Json::array();
        bool lossy = false;
        for (const std::uint64_t pid : pids) {
            const auto outcome = dumps.dump(pid);
            if (!outcome) {
                failedOne = true;
                report(pid, outcome.error());
                if (SignalGuard::stopRequested()) break;
                continue;
            }
            lossy |= outcome->lossy();
            if (options_.json)
                results.push_back(outcomeJson(*outcome, *request));
            else
                print(*outcome, *request);
        }
        if (options_.json && !results.empty())
            printJson(pids.size() == 1 ? results.front() : results);
        return failedOne ? failed : lossy ? doneWithLosses : done;
    }

private:
    /// Waits for what the options name, and dumps then.
    [[nodiscard]] int runWatch(const std::vector<std::uint64_t>& pids, const Request& request) {
        auto plan = watch_.plan();
        if (plan && pids.size() > 1)
            plan = fail(Errc::usage, "only one process at a time can be waited for");
        if (plan && watch_.count > 1 && request.toStandardOutput)
            plan = fail(Errc::usage, "only one dump goes to standard output");
        if (!plan) {
            printError("dump", plan.error());
            return usage;
        }
        if (pids.empty())
            plan->target = monitor::TargetWaitFor{watch_.waitFor};
        else
            plan->target = monitor::TargetPid{pids.front()};
        const SignalGuard signals;
        DumpRun dumps(options_, request);
        Json results = Json::array();
        bool lossy = false;
        const auto report = monitor::watch(
            *plan,
            [&](const monitor::DumpReason& reason) -> Result<void> {
                ASSIGN_OR_RETURN(const Outcome outcome, dumps.dump(reason.pid));
                lossy |= outcome.lossy();
                if (options_.json) {
                    results.push_back(outcomeJson(outcome, request));
                    results.back()["trigger"] = reason.kind;
                    results.back()["reason"] = reason.text;
                } else {
                    print(outcome, request);
                }
                return {};
            },
            [&](const monitor::WatchEvent& event) {
                if (event.kind == monitor::WatchEventKind::triggered && !event.text.empty())
                    fmt::print(stderr, "{}: {}\n", event.pid, printable(event.text));
            },
            SignalGuard::stopRequested);
        if (options_.json && !results.empty())
            printJson(results.size() == 1 ? results.front() : results);
        const std::string who = pids.empty() ? watch_.waitFor : std::to_string(pids.front());
        if (!report) {
            printError(who, report.error());
            return failed;
        }
        for (const Error& error : report->failed)
            printError(who, error);
        if (report->dumps == 0) {
            printError(who, std::string(endText(report->end)));
            return failed;
        }
        return !report->failed.empty() ? failed : lossy ? doneWithLosses : done;
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

    static void print(const Outcome& outcome, const Request& request) {
        fmt::print(request.toStandardOutput ? stderr : stdout, "{}\n",
                   closingLine(outcome, request));
        const std::string target = std::to_string(outcome.process.pid);
        if (!outcome.report.unread.empty()) printError(target, unreadText(outcome.report.unread));
        printIssues(target, outcome.issues);
        printIssues(target, outcome.report.losses);
    }

    DumpOptions options_;
    WatchOptions watch_;
};

}  // namespace

std::unique_ptr<VerbRun> makeDumpVerb() {
    return std::make_unique<DumpVerb>();
}

}  // namespace icecore::app
