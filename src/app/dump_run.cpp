#include "app/dump_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

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

Result<DumpOutcome> DumpRun::dump(std::uint64_t pid, const Freeze& freeze,
                                  const std::string& code) {
    DumpOutcome outcome;
    outcome.process.pid = pid;
    outcome.process.process = processName(pid);
    outcome.process.host = hostName();
    outcome.process.exceptionCode = code;
    outcome.process.unixSeconds = std::chrono::duration_cast<std::chrono::seconds>(
                                      std::chrono::system_clock::now().time_since_epoch())
                                      .count();
    // Before the target is touched for nothing.
    ASSIGN_OR_RETURN(outcome.path, choosePath(outcome.process));

    ProgressBar progress(request_.progress);
    live::CaptureOptions capture;
    capture.mode = request_.mode;
    capture.type = request_.type;
    auto frozen = freeze ? freeze(capture, progress) : live::freeze(pid, capture, progress);
    if (!frozen) {
        named_.erase(outcome.path);
        return std::unexpected(std::move(frozen).error());
    }
    TRY(write(**frozen, outcome, progress));
    return outcome;
}

Result<std::unique_ptr<Sink>> DumpRun::openSink(const live::FrozenProcess& frozen,
                                                DumpOutcome& outcome) const {
    std::unique_ptr<Sink> sink;
    if (request_.toStandardOutput) {
        sink = descriptorSink(binaryStandardOutput(), "standard output");
    } else {
        FileSinkOptions file;
        file.overwrite = request_.overwrite;
        // How far it can be compressed is not known before.
        file.expected =
            request_.compress ? 0 : presentBytes(frozen.plan(), *frozen.snapshot().process->memory);
        ASSIGN_OR_RETURN(sink, createFileSink(outcome.path, file));
    }
    sink = std::make_unique<CountingSink>(std::move(sink), outcome.fileBytes);
    if (!request_.compress) return sink;
    return compressZstd(std::move(sink), compressionLevel, 0);
}

Result<void> DumpRun::write(live::FrozenProcess& frozen, DumpOutcome& outcome,
                            ProgressBar& progress) const {
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

std::string closingLine(const DumpOutcome& outcome, const DumpRequest& request) {
    std::string text = fmt::format(
        "{}: {} ({} bytes), {} of {} (pid {}), {}, {} thread{}, {} regions; stood still for "
        "{:.1f} ms ({})",
        outcome.path == standardOutput ? "standard output" : printable(outcome.path),
        humanBytes(outcome.fileBytes), outcome.fileBytes, request.format->description,
        printable(outcome.process.process), outcome.process.pid, toString(request.type),
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

}  // namespace icecore::app
