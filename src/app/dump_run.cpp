#include "app/dump_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <new>

#include "app/terminal.h"
#include "base/text.h"

namespace icecore::app {

namespace {

constexpr int compressionLevel = 3;
/// Ranges that the text lists; --json lists all.
constexpr std::size_t shownRanges = 5;

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

/// Progress that is cancelled once its time is over, too.
class DeadlineProgress final : public Progress {
public:
    DeadlineProgress(Progress& inner, std::optional<std::chrono::milliseconds> time)
        : inner_(inner), time_(time), began_(std::chrono::steady_clock::now()) {}
    void begin(std::string_view phase, std::uint64_t total) override { inner_.begin(phase, total); }
    void advance(std::uint64_t amount) override { inner_.advance(amount); }
    void end() override { inner_.end(); }
    [[nodiscard]] bool cancelled() const override { return inner_.cancelled() || over(); }

    /// Why it was cancelled.
    [[nodiscard]] Result<void> explain(Result<void> result) const {
        if (result || result.error().code != Errc::cancelled || inner_.cancelled()) return result;
        return fail(Errc::limit, fmt::format("given up: not written within {} s",
                                             static_cast<double>(time_->count()) / 1000));
    }

private:
    [[nodiscard]] bool over() const {
        return time_ && std::chrono::steady_clock::now() - began_ > *time_;
    }

    Progress& inner_;
    std::optional<std::chrono::milliseconds> time_;
    std::chrono::steady_clock::time_point began_;
};

bool taken(const std::string& path) {
    std::error_code ignored;
    return std::filesystem::exists(std::filesystem::symlink_status(path, ignored));
}

/// "dump.core" → "dump_2.core".
std::string numbered(const std::string& path, int number) {
    const std::filesystem::path whole(path);
    std::string name = whole.filename().string();
    std::size_t dot = name.find('.', 1);
    if (dot == std::string::npos) dot = name.size();
    name.insert(dot, fmt::format("_{}", number));
    return (whole.parent_path() / name).string();
}

}  // namespace

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

Result<std::string> DumpRun::choosePath(const NameParts& parts) {
    if (request_.toStandardOutput) return std::string(standardOutput);
    const std::string first =
        request_.name
            ? request_.name(parts)
            : outputPath(request_.output, parts, *request_.format, request_.compress).string();
    // A name of our own making gives way; one that somebody has chosen does only to our own dumps.
    const bool givesWay =
        !request_.name && (request_.output.empty() || !namesOneFile(request_.output));
    constexpr int mostTries = 10'000;
    for (int number = 1; number < mostTries; ++number) {
        std::string path = number == 1 ? first : numbered(first, number);
        if (named_.contains(path)) continue;
        if (!request_.overwrite && taken(path)) {
            if (givesWay || number > 1) continue;
            return fail(Errc::exists, "already exists", path);
        }
        named_.insert(path);
        return path;
    }
    return fail(Errc::exists, "already exists, and so do the numbers behind it", first);
}

/// One occasion, from its freeze to its last file.
struct DumpRun::Job {
    Job(ProgressStyle style, std::optional<std::chrono::milliseconds> timeout)
        : bar(style), progress(bar, timeout) {}

    ProgressBar bar;
    DeadlineProgress progress;
    std::unique_ptr<live::FrozenProcess> frozen;
    std::vector<DumpOutcome> outcomes;  ///< one for each type
};

bool DumpRun::takeSlot() {
    std::unique_lock lock(mutex_);
    if (writing_ >= request_.concurrent && request_.avoidOutage) return false;
    slotFree_.wait(lock, [&] { return writing_ < request_.concurrent; });
    ++writing_;
    return true;
}

Result<monitor::Taken> DumpRun::dump(const DumpOccasion& occasion) {
    NameParts process;
    process.pid = occasion.pid;
    process.process = live::processName(occasion.pid);
    process.host = hostName();
    process.exceptionCode = occasion.code;
    process.unixSeconds = std::chrono::duration_cast<std::chrono::seconds>(
                              std::chrono::system_clock::now().time_since_epoch())
                              .count();
    const bool concurrently = request_.concurrent > 0;
    if (concurrently && !takeSlot()) return monitor::Taken::nothing;
    const auto giveBack = [&] {
        if (!concurrently) return;
        const std::lock_guard lock(mutex_);
        --writing_;
        slotFree_.notify_all();
    };
    auto job = std::make_shared<Job>(concurrently ? ProgressStyle::none : request_.progress,
                                     request_.timeout);
    live::CaptureOptions capture;
    capture.mode = request_.mode;
    capture.type = request_.types.front();
    const auto begun = [&]() -> Result<void> {
        for (const DumpType type : request_.types) {
            DumpOutcome outcome;
            outcome.process = process;
            outcome.type = type;
            outcome.trigger = occasion.trigger;
            outcome.reason = occasion.reason;
            // Before the target is touched for nothing.
            ASSIGN_OR_RETURN(outcome.path, choosePath(process));
            job->outcomes.push_back(std::move(outcome));
            // What any of them may hold has to be kept of the moment.
            capture.type.flags |= type.flags;
        }
        ASSIGN_OR_RETURN(job->frozen, occasion.freeze
                                          ? occasion.freeze(capture, job->progress)
                                          : live::freeze(occasion.pid, capture, job->progress));
        return {};
    }();
    if (!begun) {
        for (const DumpOutcome& outcome : job->outcomes)
            named_.erase(outcome.path);
        giveBack();
        return std::unexpected(job->progress.explain(begun).error());
    }
    // What holds the target still is not left to others.
    if (!concurrently || job->frozen->mode() != live::SnapshotMode::clone) {
        auto written = writeAll(*job);
        giveBack();
        if (!written) return std::unexpected(std::move(written).error());
        return monitor::Taken::dump;
    }
    writers_.emplace_back([this, job, giveBack = [this] {
        const std::lock_guard lock(mutex_);
        --writing_;
        slotFree_.notify_all();
    }] {
        auto written = writeAll(*job);
        if (!written) {
            const std::lock_guard lock(mutex_);
            failures_.push_back(std::move(written).error());
        }
        job->frozen.reset();
        giveBack();
    });
    return monitor::Taken::dump;
}

void DumpRun::finish() {
    writers_.clear();
}

Result<void> DumpRun::writeAll(Job& job) {
    Result<void> done;
    try {
        for (DumpOutcome& outcome : job.outcomes) {
            done = job.progress.explain(writeOne(job, outcome, &outcome == &job.outcomes.back()));
            if (!done) break;
            const std::lock_guard lock(mutex_);
            onDump_(outcome);
        }
    } catch (const std::bad_alloc&) {
        done = fail(Errc::limit, "memory has run out");
    }
    job.frozen->release();
    return done;
}

Result<std::unique_ptr<Sink>> DumpRun::openSink(const Snapshot& snapshot, const SavePlan& plan,
                                                DumpOutcome& outcome) const {
    std::unique_ptr<Sink> sink;
    if (request_.toStandardOutput) {
        sink = descriptorSink(binaryStandardOutput(), "standard output");
    } else {
        FileSinkOptions file;
        file.overwrite = request_.overwrite;
        // How far it can be compressed is not known before.
        file.expected = request_.compress ? 0 : presentBytes(plan, *snapshot.process->memory);
        ASSIGN_OR_RETURN(sink, createFileSink(outcome.path, file));
    }
    sink = std::make_unique<CountingSink>(std::move(sink), outcome.fileBytes);
    if (!request_.compress) return sink;
    return compressZstd(std::move(sink), compressionLevel, 0);
}

Result<void> DumpRun::writeOne(Job& job, DumpOutcome& outcome, bool last) const {
    live::FrozenProcess& frozen = *job.frozen;
    Snapshot snapshot = frozen.snapshot();
    SavePlan plan =
        job.outcomes.size() == 1 ? frozen.plan() : planSave(*snapshot.process, outcome.type);
    snapshot.provenance.type = toString(outcome.type);
    if (!request_.comment.empty())
        snapshot.attachments.push_back({"comment", SharedBytes::own(request_.comment)});
    std::optional<capi::CancelByCallback> asking;
    if (request_.ask) {
        TRY(capi::applyCallbacks(request_.ask, snapshot, plan));
        asking.emplace(request_.ask, outcome.process.pid, job.progress);
    }
    Progress& progress = asking ? static_cast<Progress&>(*asking) : job.progress;
    ASSIGN_OR_RETURN(auto sink, openSink(snapshot, plan, outcome));
    outcome.issues = snapshot.issues;
    outcome.threads = snapshot.process->threads.size();
    outcome.regions = snapshot.process->regions.size();
    outcome.mode = frozen.mode();
    outcome.fallbackReason = frozen.fallbackReason();
    ASSIGN_OR_RETURN(outcome.report, request_.format->write(snapshot, plan, *sink, progress));
    // A stopped target need not wait for the disk.
    if (last) frozen.release();
    outcome.pause = frozen.pause();
    if (progress.cancelled()) return fail(Errc::cancelled, "cancelled");
    return sink->finish();
}

std::string closingLine(const DumpOutcome& outcome, const DumpRequest& request) {
    std::string text = fmt::format(
        "{}: {} ({} bytes), {} of {} (pid {}), {}, {} thread{}, {} regions; stood still for "
        "{:.1f} ms ({})",
        outcome.path == standardOutput ? "standard output" : printable(outcome.path),
        humanBytes(outcome.fileBytes), outcome.fileBytes, request.format->description,
        printable(outcome.process.process), outcome.process.pid, toString(outcome.type),
        outcome.threads, outcome.threads == 1 ? "" : "s", outcome.regions,
        milliseconds(outcome.pause), modeName(outcome.mode));
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

Json outcomeJson(const DumpOutcome& outcome, const DumpRequest& request) {
    Json unread = Json::array();
    for (const Range& range : outcome.report.unread)
        unread.push_back({{"begin", hex(range.begin())}, {"end", hex(range.end())}});
    Issues issues = outcome.issues;
    issues.append(outcome.report.losses);
    Json json = {{"path", outcome.path},
                 {"format", request.format->name},
                 {"type", toString(outcome.type)},
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
    if (!outcome.trigger.empty()) {
        json["trigger"] = outcome.trigger;
        json["reason"] = outcome.reason;
    }
    if (!request.comment.empty()) json["comment"] = request.comment;
    return json;
}

}  // namespace icecore::app
