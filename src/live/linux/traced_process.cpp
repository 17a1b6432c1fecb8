// TracedProcess over a guardian that watches.
#include "live/traced_process.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "live/linux/freeze_watched.h"
#include "live/linux/guardian.h"
#include "live/linux/log_stream.h"
#include "live/linux/memory_reader.h"
#include "live/linux/metadata.h"
#include "live/linux/target.h"

namespace icecore::live {

namespace {

/// Memory of a process that runs, as it is when it is read.
class RunningMemory final : public AddressSpace {
public:
    explicit RunningMemory(pid_t process) : reader_(process) {}
    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        const std::size_t got = reader_.read(address, out);
        return {got, got == out.size() ? Absence::none : Absence::not_mapped};
    }
    /// Nothing is known of a process that goes on changing.
    [[nodiscard]] std::vector<Extent> extents(Range /*within*/) const override { return {}; }
    [[nodiscard]] std::string explain(std::uint64_t /*address*/) const override {
        return fmt::format("memory of the running process {}", reader_.process());
    }

private:
    MemoryReader reader_;
};

ProcessEventKind kindOf(EventKind kind) {
    switch (kind) {
    case EventKind::breakpoint: return ProcessEventKind::breakpoint;
    case EventKind::threadStarted: return ProcessEventKind::threadStarted;
    case EventKind::threadEnded: return ProcessEventKind::threadEnded;
    case EventKind::exiting: return ProcessEventKind::exiting;
    case EventKind::replaced: return ProcessEventKind::replaced;
    case EventKind::output: return ProcessEventKind::output;
    case EventKind::none:
    case EventKind::signal: break;
    }
    return ProcessEventKind::signal;
}

class LinuxTracedProcess final : public TracedProcess {
public:
    LinuxTracedProcess(Target target, const EventWishes& wishes) : target_(std::move(target)) {
        wishes_.signals = wishes.signals;
        wishes_.deadly = wishes.deadly;
        wishes_.exits = wishes.exits;
        wishes_.threads = wishes.threads;
        wishes_.output = wishes.output;
    }
    ~LinuxTracedProcess() override {
        if (guardian_ == nullptr) return;
        guardian_->leave();
        // Dumps that are still being written keep it, and it takes their clones away.
        guardian_.reset();
    }

    Result<void> begin() {
        TRY(startGuardian());
        const GuardianReply reply = guardian_->watch(wishes_);
        return check(reply);
    }

    [[nodiscard]] std::uint64_t pid() const override {
        return static_cast<std::uint64_t>(target_.pid);
    }

    Result<std::optional<ProcessEvent>> next(std::chrono::milliseconds time) override {
        const GuardianReply reply = guardian_->next(time);
        if (reply.failure == GuardianFailure::gone && reply.error == EPIPE) {
            TRY(mend());
            return std::nullopt;
        }
        if (reply.failure != GuardianFailure::none)
            return fail(Errc::target_gone, "has ended", target_.describe());
        if (reply.id == 0) return std::nullopt;
        const ThreadRecord* record = guardian_->thread(reply.id);
        if (record == nullptr) return std::nullopt;
        last_ = reply.id;
        ProcessEvent event;
        event.kind = kindOf(record->event);
        event.thread = static_cast<std::uint64_t>(record->id);
        event.signal = record->signal;
        event.signalCode = record->signalInfo.si_code;
        event.deadly = record->deadly;
        if (record->signal != 0 && record->signalInfo.si_code <= 0 &&
            record->signalInfo.si_pid != 0)
            event.sender = static_cast<std::uint64_t>(record->signalInfo.si_pid);
        event.address = wishes_.breakpoints[record->breakpoint];
        event.status = record->status;
        if (record->hasRegisters) event.registers = native::toRegisters(record->registers);
        if (event.kind == ProcessEventKind::output)
            event.text = readOutput(target_.pid, record->registers);
        if (event.kind == ProcessEventKind::replaced)
            std::ranges::fill(wishes_.breakpoints, std::uint64_t{0});
        return event;
    }

    void pass() override {
        if (last_ != 0) guardian_->pass(last_);
        last_ = 0;
    }

    [[nodiscard]] std::size_t breakpointRoom() const override { return native::breakpointCount; }

    Result<void> setBreakpoints(std::span<const std::uint64_t> addresses) override {
        if (addresses.size() > native::breakpointCount)
            return fail(Errc::limit,
                        fmt::format("only {} addresses can be watched", native::breakpointCount),
                        target_.describe());
        WatchWishes wishes = wishes_;
        std::ranges::fill(wishes.breakpoints, std::uint64_t{0});
        std::ranges::copy(addresses, wishes.breakpoints);
        if (std::ranges::equal(wishes.breakpoints, wishes_.breakpoints)) return {};
        wishes_ = wishes;
        return check(guardian_->watch(wishes_));
    }

    [[nodiscard]] Process view() const override {
        Process process;
        describeProcess(target_, process);
        process.system.os = Os::linux_os;
        process.system.arch = native::arch;
        process.memory = std::make_shared<RunningMemory>(target_.pid);
        return process;
    }

    [[nodiscard]] std::string openablePath(std::string_view path) const override {
        if (path.empty()) return procPath(target_.pid, "exe");
        return procPath(target_.pid, "root") + std::string(path);
    }

    Result<std::unique_ptr<FrozenProcess>> freeze(const CaptureOptions& options,
                                                  Progress& progress) override {
        auto frozen = freezeWatched(guardian_, pid(), options, progress);
        if (frozen) last_ = 0;
        return frozen;
    }

    [[nodiscard]] int exitStatus() const override { return guardian_->exitStatus(); }

private:
    Result<void> startGuardian() {
        const std::uint64_t handled =
            statusMask(target_.status, "SigCgt") | statusMask(target_.status, "SigIgn");
        // Threads come and go while it watches, and the room cannot grow. Only what is used of it
        // costs memory.
        constexpr std::size_t leastRoom = 8192;
        const std::size_t capacity = std::max(leastRoom, target_.threads.size() * 4);
        ASSIGN_OR_RETURN(guardian_, Guardian::start(target_.pid, target_.taskDirectory.get(),
                                                    static_cast<std::uint32_t>(capacity), handled));
        return {};
    }

    /// Somebody has killed the guardian. Its heir takes the breakpoints out of the target, another
    /// guardian takes the watch over.
    Result<void> mend() {
        if (!target_.same()) return fail(Errc::target_gone, "has ended", target_.describe());
        last_ = 0;
        // The heir may be at it; it takes some milliseconds.
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
        for (;;) {
            guardian_.reset();
            TRY(startGuardian());
            const GuardianReply reply = guardian_->watch(wishes_);
            if (reply.failure != GuardianFailure::seize ||
                std::chrono::steady_clock::now() > deadline)
                return check(reply);
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    }

    [[nodiscard]] Result<void> check(const GuardianReply& reply) const {
        switch (reply.failure) {
        case GuardianFailure::none: return {};
        case GuardianFailure::seize: return std::unexpected(explainRefusal(target_, reply.error));
        case GuardianFailure::tooMany:
            return fail(Errc::limit, "has too many threads to be watched", target_.describe());
        case GuardianFailure::breakpoint:
            return failErrno(reply.error, "its debug registers cannot be used", target_.describe());
        default: return fail(Errc::target_gone, "has ended", target_.describe());
        }
    }

    Target target_;
    WatchWishes wishes_;
    std::shared_ptr<Guardian> guardian_;
    pid_t last_ = 0;  ///< the thread of the last event
};

}  // namespace

Result<std::unique_ptr<TracedProcess>> traceProcess(std::uint64_t pid, const EventWishes& wishes) {
    ASSIGN_OR_RETURN(Target target, identify(pid));
    auto traced = std::make_unique<LinuxTracedProcess>(std::move(target), wishes);
    TRY(traced->begin());
    return std::unique_ptr<TracedProcess>(std::move(traced));
}

}  // namespace icecore::live
