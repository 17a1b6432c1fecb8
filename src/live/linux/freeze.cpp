// freeze(): identify, stop, clone, let go; or stop and hold. See docs/capture.md.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/text.h"
#include "images/elf_modules.h"
#include "live/capture.h"
#include "live/linux/carriage.h"
#include "live/linux/freeze_watched.h"
#include "live/linux/guardian.h"
#include "live/linux/live_space.h"
#include "live/linux/maps.h"
#include "live/linux/metadata.h"
#include "live/linux/seccomp.h"
#include "live/linux/target.h"
#include "live/linux/traced_thread.h"

namespace icecore::live {

namespace {

class LinuxFrozenProcess final : public FrozenProcess {
public:
    ~LinuxFrozenProcess() override { LinuxFrozenProcess::release(); }
    [[nodiscard]] const Snapshot& snapshot() const override { return snapshot_; }
    [[nodiscard]] const SavePlan& plan() const override { return plan_; }
    [[nodiscard]] SnapshotMode mode() const override { return mode_; }
    [[nodiscard]] const std::string& fallbackReason() const override { return reason_; }
    [[nodiscard]] std::chrono::nanoseconds pause() const override {
        return standing_ && guardian_ != nullptr ? guardian_->pause() : pause_;
    }
    void release() override {
        if (space_ != nullptr) space_->close();
        if (guardian_ == nullptr || released_) return;
        released_ = true;
        if (watched_) {
            letThreadsGo();
            if (clone_ != 0) guardian_->dropClone(clone_);
        } else {
            guardian_->finish();
            if (standing_) pause_ = guardian_->pause();
            standing_ = false;
        }
        // Of a watch that is over we may be the last who need it.
        guardian_.reset();
    }
    void letThreadsGo() {
        if (!standing_) return;
        guardian_->release();
        pause_ = guardian_->pause();
        standing_ = false;
    }

    std::shared_ptr<Guardian> guardian_;
    bool watched_ = false;  ///< the guardian watches, and goes on with that
    bool released_ = false;
    bool standing_ = true;  ///< the target is held
    pid_t clone_ = 0;
    std::chrono::nanoseconds pause_{};  ///< once it stands no longer
    std::shared_ptr<LiveSpace> space_;
    Snapshot snapshot_;
    SavePlan plan_;
    SnapshotMode mode_ = SnapshotMode::stop;
    std::string reason_;
};

/// Why a clone could not be had, in words.
std::string explainCloneFailure(const GuardianReply& reply) {
    switch (reply.failure) {
    case GuardianFailure::seccomp:
        switch (static_cast<seccomp::Verdict>(reply.error)) {
        case seccomp::Verdict::refused: return "its seccomp filter refuses clone";
        case seccomp::Verdict::deadly: return "its seccomp filter would kill it for a clone";
        default:
            return "it has seccomp filters, and icecore may not see whether they let it clone "
                   "(CAP_SYS_ADMIN)";
        }
    case GuardianFailure::refused: {
        std::string why = std::strerror(reply.error);
        if (reply.error == EAGAIN) why += ": RLIMIT_NPROC, pids.max or threads-max is reached";
        if (reply.error == ENOMEM) why += ": not enough memory, or overcommit forbids it";
        return "the kernel refused clone: " + why;
    }
    case GuardianFailure::tooManyClones: return "too many clones of it are being read";
    case GuardianFailure::noThread: return "none of its threads is free to make a system call";
    case GuardianFailure::noSite: return "no system call instruction was found in it";
    case GuardianFailure::stuck: return "the system call did not come back";
    default: return "it ended";
    }
}

/// An address in executable memory that holds a syscall instruction, or 0: for a process without
/// a vdso.
std::uint64_t findSyscallIn(const std::vector<Region>& regions, const MemoryReader& reader) {
    std::vector<std::byte> code(std::size_t{1} << 20);
    for (const Region& region : regions) {
        if (!region.protection.execute || region.kind == RegionKind::special) continue;
        const auto size = std::min<std::uint64_t>(region.range.size(), code.size());
        const std::size_t got = reader.read(region.range.begin(),
                                            std::span(code).first(static_cast<std::size_t>(size)));
        const auto end = code.begin() + static_cast<std::ptrdiff_t>(got);
        const auto found = std::search(code.begin(), end, native::syscallInstruction.begin(),
                                       native::syscallInstruction.end());
        if (found != end)
            return region.range.begin() + static_cast<std::uint64_t>(found - code.begin());
    }
    return 0;
}

/// One freeze from beginning to end.
class Freezer {
public:
    /// `watching`: the guardian that traces the target already, if one does.
    Freezer(Target target, const CaptureOptions& options, Progress& progress,
            std::shared_ptr<Guardian> watching)
        : target_(std::move(target)),
          options_(options),
          progress_(progress),
          result_(std::make_unique<LinuxFrozenProcess>()) {
        result_->watched_ = watching != nullptr;
        result_->guardian_ = std::move(watching);
    }

    Result<std::unique_ptr<FrozenProcess>> run();

private:
    Result<void> stopThreads();
    [[nodiscard]] Result<void> checkStopped(const GuardianReply& reply) const;
    Result<void> readStopped();
    Result<void> tryClone();
    Result<void> buildSpace();
    [[nodiscard]] Result<void> checkCancelled() const;

    Target target_;
    const CaptureOptions& options_;
    Progress& progress_;
    std::unique_ptr<LinuxFrozenProcess> result_;
    EarlyData early_;
    Process process_;
    Issues issues_;
    std::string maps_;
    std::vector<Region> regions_;
    Carriage carriage_;
    pid_t clone_ = 0;
    std::vector<ThreadRecord> records_;  ///< of a guardian that watches
};

Result<void> Freezer::checkCancelled() const {
    if (progress_.cancelled())
        return fail(Errc::cancelled, "stopped on request", target_.describe());
    return {};
}

/// What has become of an attempt to stop all threads.
Result<void> Freezer::checkStopped(const GuardianReply& reply) const {
    switch (reply.failure) {
    case GuardianFailure::none: break;
    case GuardianFailure::tooMany:
        return fail(Errc::limit, "makes threads faster than they can be stopped",
                    target_.describe());
    case GuardianFailure::seize: return std::unexpected(explainRefusal(target_, reply.error));
    default: return fail(Errc::target_gone, "ended while it was being frozen", target_.describe());
    }
    if (!target_.same())
        return fail(Errc::target_gone, "ended while it was being frozen", target_.describe());
    const auto threads = result_->guardian_->threads();
    if (std::ranges::any_of(threads, &ThreadRecord::is32bit) &&
        std::ranges::none_of(threads, &ThreadRecord::hasRegisters)) {
        return fail(Errc::unsupported, "is a 32-bit process: only 64-bit ones are captured",
                    target_.describe());
    }
    return {};
}

Result<void> Freezer::stopThreads() {
    if (result_->watched_) {
        TRY(checkStopped(result_->guardian_->freeze(options_.threadTimeout)));
        // Once it is released, the guardian writes into these again.
        const auto records = result_->guardian_->threads();
        records_.assign(records.begin(), records.end());
        return {};
    }
    const std::uint64_t handled =
        statusMask(target_.status, "SigCgt") | statusMask(target_.status, "SigIgn");
    auto capacity = static_cast<std::uint32_t>(target_.threads.size()) * 2 + 1024;
    constexpr int attempts = 4;
    int freeNow = 0;  ///< times that it had been let go until we looked who has it
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    for (int attempt = 1;; ++attempt) {
        ASSIGN_OR_RETURN(
            result_->guardian_,
            Guardian::start(target_.pid, target_.taskDirectory.get(), capacity, handled));
        const GuardianReply reply = result_->guardian_->freeze(options_.threadTimeout);
        if (reply.failure == GuardianFailure::tooMany && attempt < attempts) {
            capacity *= 4;
            continue;
        }
        // Another capture of ours has it for some milliseconds (a watch of ours for as long as it
        // likes): whoever asks for dumps of one process at once gets them one after the other.
        if (reply.failure == GuardianFailure::seize && !progress_.cancelled() &&
            std::chrono::steady_clock::now() < patience &&
            (traced::heldByGuardian(reply.id) ||
             (traced::statusField(reply.id, "\nTracerPid:\t") == 0 && ++freeNow < attempts))) {
            result_->guardian_.reset();
            std::this_thread::sleep_for(std::chrono::milliseconds(10 + target_.pid % 7));
            continue;
        }
        return checkStopped(reply);
    }
}

/// What has to be read while the target stands still.
Result<void> Freezer::readStopped() {
    const std::string path = procPath(target_.memoryThread, "maps");
    auto maps = readProc(path);
    if (!maps) {
        if (maps.error().code == Errc::permission)
            return std::unexpected(explainRefusal(target_, EACCES));
        return std::unexpected(std::move(maps).error());
    }
    maps_ = std::move(*maps);
    regions_ = parseMaps(maps_, issues_);
    if (regions_.empty())
        return fail(Errc::target_gone, "has no memory any more", target_.describe());
    if (options_.type.has(DumpFlag::with_handle_data)) {
        // A person who asks for descriptors wants those of this moment.
        process_.handles = listHandles(target_.memoryThread);
        if (process_.handles.coverage != Coverage::complete)
            issues_.loss("not all open descriptors could be listed");
    }
    return {};
}

Result<void> Freezer::tryClone() {
    if (options_.mode == SnapshotMode::stop) return {};
    Guardian& guardian = *result_->guardian_;
    GuardianReply reply = guardian.clone(0);
    if (reply.failure == GuardianFailure::noSite) {
        reply = guardian.clone(findSyscallIn(regions_, MemoryReader(target_.memoryThread)));
    }
    if (reply.failure == GuardianFailure::gone) {
        return fail(Errc::target_gone, "ended while it was being frozen", target_.describe());
    }
    if (reply.failure == GuardianFailure::none) {
        clone_ = result_->clone_ = reply.id;
        std::vector<std::uint64_t> stackPointers;
        for (const ThreadRecord& record : guardian.threads()) {
            if (record.hasRegisters)
                stackPointers.push_back(native::toRegisters(record.registers).sp());
        }
        ASSIGN_OR_RETURN(carriage_, compareWithClone(target_.memoryThread, clone_, regions_,
                                                     options_.type, stackPointers));
        result_->letThreadsGo();
        result_->mode_ = SnapshotMode::clone;
        // Should memory run out because the target's writes now cost copies, it is the clone that
        // the kernel is to take.
        const Descriptor score(
            ::open(procPath(clone_, "oom_score_adj").c_str(), O_WRONLY | O_CLOEXEC));
        if (score.valid()) (void)!::write(score.get(), "1000", 4);
        return {};
    }
    const std::string why = explainCloneFailure(reply);
    if (options_.mode == SnapshotMode::clone)
        return fail(Errc::unsupported, "cannot be cloned: " + why, target_.describe());
    result_->reason_ = why;
    return {};
}

Result<void> Freezer::buildSpace() {
    const pid_t source = clone_ != 0 ? clone_ : target_.memoryThread;
    if (clone_ == 0) {
        for (const Region& region : regions_)
            carriage_.sources.push_back(sourceOf(region));
    }
    // The clone's flags are those of the target at that moment, and reading them costs it nothing.
    if (auto flags = addRegionFlags(procPath(source, "smaps"), regions_); !flags) {
        issues_.loss("what each mapping is exempt from (MADV_DONTDUMP…) is unknown: " +
                     flags.error().describe());
    }
    std::vector<LiveArea> areas;
    areas.reserve(regions_.size());
    for (std::size_t i = 0; i < regions_.size(); ++i) {
        RegionSource from = carriage_.sources[i];
        if (sourceOf(regions_[i]) == RegionSource::unreadable) from = RegionSource::unreadable;
        areas.push_back({regions_[i], from});
    }
    ASSIGN_OR_RETURN(auto pages, PageMap::open(source));
    result_->space_ =
        std::make_shared<LiveSpace>(std::move(areas), std::make_unique<MemoryReader>(source),
                                    std::move(pages), std::move(carriage_.kept));
    process_.regions.items = std::move(regions_);
    process_.regions.coverage = Coverage::complete;
    process_.memory = result_->space_;
    return {};
}

Result<std::unique_ptr<FrozenProcess>> Freezer::run() {
    progress_.begin("freezing", 0);
    early_ = gatherEarly(target_);
    describeProcess(target_, process_);
    TRY(checkCancelled());
    TRY(stopThreads());
    TimePoint time = std::chrono::system_clock::now();
    TRY(readStopped());
    TRY(tryClone());
    TRY(buildSpace());
    addThreads(
        *result_->guardian_,
        result_->watched_ ? std::span<const ThreadRecord>(records_) : result_->guardian_->threads(),
        early_, process_, issues_);
    addStackRanges(process_);
    process_.system = early_.system;
    findElfModules(process_, issues_);
    TRY(checkCancelled());
    result_->plan_ = planSave(process_, options_.type);

    Snapshot& snapshot = result_->snapshot_;
    snapshot.attachments = std::move(early_.attachments);
    snapshot.attachments.push_back({"linux/maps", SharedBytes::own(std::move(maps_))});
    snapshot.provenance = liveProvenance(target_, time);
    snapshot.provenance.type = toString(options_.type);
    snapshot.provenance.consistency =
        carriage_.sharedStaysLive ? Consistency::mixed : Consistency::frozen;
    if (carriage_.sharedStaysLive) {
        issues_.note(
            "shared memory of more than 16 MiB is read while the process goes on: it may "
            "be newer than the rest");
    }
    snapshot.process = std::move(process_);
    snapshot.issues = std::move(issues_);
    progress_.end();
    return std::unique_ptr<FrozenProcess>(std::move(result_));
}

}  // namespace

Result<std::unique_ptr<FrozenProcess>> freeze(std::uint64_t pid, const CaptureOptions& options,
                                              Progress& progress) {
    ASSIGN_OR_RETURN(Target target, identify(pid));
    return Freezer(std::move(target), options, progress, nullptr).run();
}

Result<std::unique_ptr<FrozenProcess>> freezeWatched(std::shared_ptr<Guardian> guardian,
                                                     std::uint64_t pid,
                                                     const CaptureOptions& options,
                                                     Progress& progress) {
    ASSIGN_OR_RETURN(Target target, identify(pid));
    const auto lock = guardian->exclusive();
    return Freezer(std::move(target), options, progress, guardian).run();
}

}  // namespace icecore::live
