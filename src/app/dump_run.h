// Taking one dump: from a request and a process to a file, whoever asks for it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "app/dump_names.h"
#include "app/progress_bar.h"
#include "base/error.h"
#include "formats/format.h"
#include "live/capture.h"
#include "views/json.h"

namespace icecore::app {

inline constexpr std::string_view standardOutput = "-";

/// What is to be written, and where: the same for every target.
struct DumpRequest {
    const Format* format = nullptr;
    DumpType type;
    live::SnapshotMode mode = live::SnapshotMode::automatic;
    ProgressStyle progress = ProgressStyle::none;
    bool compress = false;
    bool toStandardOutput = false;
    bool overwrite = false;
    std::string output;  ///< as outputPath takes it

    /// Names the file, where it is not to be named by `output`.
    std::function<std::string(const NameParts&)> name;
};

struct DumpOutcome {
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

std::string_view modeName(live::SnapshotMode mode);
double milliseconds(std::chrono::nanoseconds time);

/// How the process is to be frozen; see monitor::DumpReason::freeze.
using Freeze = std::function<Result<std::unique_ptr<live::FrozenProcess>>(
    const live::CaptureOptions&, Progress&)>;

/// Takes dumps, one after the other. What it has named once it does not name again: several dumps
/// of one second, or for one name, get "_2", "_3"… before their extension.
class DumpRun {
public:
    explicit DumpRun(const DumpRequest& request) : request_(request) {}

    /// `freeze` empty: live::freeze. `code`: of the event that it is taken for (see NameParts).
    Result<DumpOutcome> dump(std::uint64_t pid, const Freeze& freeze = {},
                             const std::string& code = {});

private:
    [[nodiscard]] Result<std::string> choosePath(const NameParts& parts);
    [[nodiscard]] Result<std::unique_ptr<Sink>> openSink(const live::FrozenProcess& frozen,
                                                         DumpOutcome& outcome) const;
    Result<void> write(live::FrozenProcess& frozen, DumpOutcome& outcome,
                       ProgressBar& progress) const;

    const DumpRequest& request_;
    std::set<std::string> named_;
};

/// The line for people that closes a dump.
std::string closingLine(const DumpOutcome& outcome, const DumpRequest& request);
/// "lost: 4 KiB in 1 ranges could not be read: …".
std::string unreadText(const std::vector<Range>& unread);
/// What --json gives.
Json outcomeJson(const DumpOutcome& outcome, const DumpRequest& request);

}  // namespace icecore::app
