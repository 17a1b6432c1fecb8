// Taking one dump: from a request and a process to a file, whoever asks for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "app/dump_names.h"
#include "app/progress_bar.h"
#include "base/error.h"
#include "capi/callbacks.h"
#include "formats/format.h"
#include "live/capture.h"
#include "monitor/watch.h"
#include "views/json.h"

namespace icecore::app {

inline constexpr std::string_view standardOutput = "-";

/// What is to be written, and where: the same for every target.
struct DumpRequest {
    const Format* format = nullptr;
    std::vector<DumpType> types{DumpType{}};  ///< a file for each, of the same moment
    live::SnapshotMode mode = live::SnapshotMode::automatic;
    ProgressStyle progress = ProgressStyle::none;
    bool compress = false;
    bool toStandardOutput = false;
    bool overwrite = false;
    std::string output;   ///< as outputPath takes it
    std::string comment;  ///< kept in the dump; empty: none
    /// A dump that is not written by then is given up.
    std::optional<std::chrono::milliseconds> timeout;
    /// How many dumps may be being written while the watch goes on; 0: it waits for each.
    unsigned concurrent = 0;
    /// Where that many are: leave the next one out, rather than let the target wait.
    bool avoidOutage = false;

    capi::Ask ask;  ///< a callback library that decides what is saved; may be empty
    /// Names the file, where it is not to be named by `output`.
    std::function<std::string(const NameParts&)> name;
};

struct DumpOutcome {
    NameParts process;
    DumpType type;
    std::string trigger, reason;  ///< of its occasion
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

std::string_view modeName(live::SnapshotMode mode);
double milliseconds(std::chrono::nanoseconds time);

/// How the process is to be frozen; see monitor::DumpReason::freeze.
using Freeze = std::function<Result<std::unique_ptr<live::FrozenProcess>>(
    const live::CaptureOptions&, Progress&)>;

/// What a dump is taken for.
struct DumpOccasion {
    std::uint64_t pid = 0;
    Freeze freeze{};        ///< empty: live::freeze
    std::string code{};     ///< of an event; see NameParts
    std::string trigger{};  ///< "cpu", "exception"…
    std::string reason{};   ///< for people
};

/// Takes dumps. What it has named once it does not name again: several dumps of one second, or for
/// one name, get "_2", "_3"… before their extension.
class DumpRun {
public:
    /// Told of each dump that is written, one at a time, from whichever thread wrote it.
    using OnDump = std::function<void(const DumpOutcome&)>;

    DumpRun(const DumpRequest& request, OnDump onDump)
        : request_(request), onDump_(std::move(onDump)) {}
    ~DumpRun() { finish(); }
    DumpRun(const DumpRun&) = delete;
    DumpRun& operator=(const DumpRun&) = delete;

    /// The dumps of one occasion. Where some are written while the caller goes on
    /// (DumpRequest::concurrent) it returns once the process is frozen, and what goes wrong later
    /// is in failures().
    Result<monitor::Taken> dump(const DumpOccasion& occasion);
    /// Waits until everything is written; afterwards failures() is complete.
    void finish();
    [[nodiscard]] const std::vector<Error>& failures() const { return failures_; }

private:
    struct Job;
    [[nodiscard]] Result<std::string> choosePath(const NameParts& parts);
    [[nodiscard]] Result<std::unique_ptr<Sink>> openSink(const Snapshot& snapshot,
                                                         const SavePlan& plan,
                                                         DumpOutcome& outcome) const;
    Result<void> writeAll(Job& job);
    Result<void> writeOne(Job& job, DumpOutcome& outcome, bool last) const;
    [[nodiscard]] bool takeSlot();

    const DumpRequest& request_;
    OnDump onDump_;
    std::set<std::string> named_;
    std::mutex mutex_;
    std::condition_variable slotFree_;
    unsigned writing_ = 0;
    std::vector<Error> failures_;
    std::vector<std::jthread> writers_;
};

/// The line for people that closes a dump.
std::string closingLine(const DumpOutcome& outcome, const DumpRequest& request);
/// "lost: 4 KiB in 1 ranges could not be read: …".
std::string unreadText(const std::vector<Range>& unread);
/// What --json gives.
Json outcomeJson(const DumpOutcome& outcome, const DumpRequest& request);

}  // namespace icecore::app
