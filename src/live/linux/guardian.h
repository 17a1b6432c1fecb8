// The guardian: a small process of ours that traces the target on our behalf.
//
// Making a system call in somebody else's thread means that for a moment its registers are not its
// own. Were the tracer killed in that moment (SIGKILL, the OOM killer), the target would go on with
// them and crash; and were it killed later, the clone would be left behind. So the tracing is done
// by a child process which does nothing else, has a session of its own and blocks every signal:
// when its owner is gone, however it died, it puts everything back and ends. It also keeps ptrace
// where it works best: one thread does all of it, and it may wait for anything without taking
// children away from the program that uses this library.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

#include "base/error.h"
#include "bytes/byte_view.h"
#include "bytes/descriptor_posix.h"
#include "live/linux/guardian_protocol.h"

namespace icecore::live {

class Guardian {
public:
    /// Starts a guardian for the process `target`, whose task directory is open as
    /// `taskDirectory`. Nothing is done to the target yet. `capacity`: how many threads it can
    /// take; `handledSignals`: the signals the target catches or ignores, as a bit mask.
    static Result<std::unique_ptr<Guardian>> start(pid_t target, int taskDirectory,
                                                   std::uint32_t capacity,
                                                   std::uint64_t handledSignals);
    ~Guardian();
    Guardian(const Guardian&) = delete;
    Guardian& operator=(const Guardian&) = delete;

    /// Stops every thread and reads their registers. A thread that does not stop in time is
    /// marked as stuck.
    GuardianReply freeze(std::chrono::milliseconds timeout);
    /// Has one of the stopped threads clone itself; the child stands still. `site`: address of a
    /// syscall instruction, used when the guardian finds none in the vdso.
    GuardianReply clone(std::uint64_t site);
    /// Lets the target go on; the clone stays.
    GuardianReply release();
    /// Undoes everything: target released, clones gone and waited for. Afterwards it has ended,
    /// unless threads that did not stop in time are still stuck in the kernel: it lets those go
    /// once they come out, for which nobody waits.
    GuardianReply finish();

    // A guardian that watches: it traces the target's threads until it ends, and keeps one still
    // when it does what `wishes` name.

    /// Begins to watch, or puts new breakpoints into effect (the other wishes stay as they were).
    GuardianReply watch(const WatchWishes& wishes);
    /// The next event: `id` is the thread, 0 when none came in time; failure gone: the target has
    /// ended, or the guardian was killed (then `error` is EPIPE).
    GuardianReply next(std::chrono::milliseconds timeout);
    /// Lets the thread of an event go on. Not needed when it was captured.
    GuardianReply pass(pid_t thread);
    /// Takes one clone away; others, and the watch, go on.
    GuardianReply dropClone(pid_t clone);
    /// While the result lives nobody else makes or ends a capture: a writer of an earlier dump
    /// that is done shall not come between the steps of the next one.
    [[nodiscard]] std::unique_lock<std::recursive_mutex> exclusive() {
        return std::unique_lock(mutex_);
    }
    /// The target has nothing of us any more.
    GuardianReply leave();
    [[nodiscard]] const ThreadRecord* thread(pid_t id) const;
    /// As wait() tells it, of a watched target that has ended; -1 unknown.
    [[nodiscard]] int exitStatus() const { return header().exitStatus; }

    [[nodiscard]] std::span<const ThreadRecord> threads() const;
    /// The thread's floating-point and vector state; a copy, since the next capture of a watched
    /// process takes the same room.
    [[nodiscard]] SharedBytes extended(const ThreadRecord& record) const;
    [[nodiscard]] std::uint64_t sharedPending() const { return header().sharedPending; }
    /// From the first thread's stop to the last one's release, or until now.
    [[nodiscard]] std::chrono::nanoseconds pause() const;

private:
    Guardian(Descriptor socket, pid_t process, std::shared_ptr<std::byte> shared)
        : socket_(std::move(socket)), process_(process), shared_(std::move(shared)) {}
    GuardianReply ask(GuardianOp op, std::int64_t argument);
    [[nodiscard]] SharedHeader& header() { return *reinterpret_cast<SharedHeader*>(shared_.get()); }
    [[nodiscard]] const SharedHeader& header() const {
        return *reinterpret_cast<const SharedHeader*>(shared_.get());
    }

    std::recursive_mutex mutex_;    ///< of the conversation with the guardian
    std::atomic<int> queueing_{0};  ///< who wants to drop a clone while somebody waits for events
    Descriptor socket_;
    pid_t process_;
    std::shared_ptr<std::byte> shared_;
};

}  // namespace icecore::live
