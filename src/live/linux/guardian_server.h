// The guardian process from within: one object with everything that needs ptrace, in several files
// by purpose. See guardian.h for why it is a process of its own. Nothing here allocates or locks.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "live/linux/guardian_protocol.h"
#include "live/linux/seccomp.h"

namespace icecore::live {

/// Directory entries as getdents64 gives them (Linux, include/linux/dirent.h).
struct DirectoryEntry {
    std::uint64_t inode;
    std::int64_t next;
    std::uint16_t size;
    std::uint8_t type;
    char name[1];
};

class GuardianServer {
public:
    explicit GuardianServer(const GuardianSetup& setup) noexcept
        : setup_(setup),
          header_(*reinterpret_cast<SharedHeader*>(setup.shared)),
          records_(reinterpret_cast<ThreadRecord*>(setup.shared + sizeof(SharedHeader))),
          table_(reinterpret_cast<std::uint32_t*>(setup.shared + header_.tableOffset)),
          handled_(setup.handledSignals) {}

    [[noreturn]] void run() noexcept;

private:
    GuardianReply freeze(std::int64_t timeoutMs) noexcept;
    GuardianReply clone(std::uint64_t site) noexcept;
    GuardianReply release() noexcept;
    GuardianReply finish() noexcept;
    GuardianReply drop(pid_t clone) noexcept;
    // The watch: guardian_watch.cpp.
    GuardianReply watch() noexcept;
    GuardianReply next(std::int64_t timeoutMs) noexcept;
    GuardianReply pass(pid_t thread) noexcept;
    GuardianReply leave() noexcept;
    /// One event of a thread while watching; as note().
    bool noteWatched(ThreadRecord& record, int signal, int event) noexcept;
    bool noteSignal(ThreadRecord& record, int signal) noexcept;
    bool noteBreakpoint(ThreadRecord& record) const noexcept;
    bool noteExit(ThreadRecord& record) noexcept;
    bool noteExec(ThreadRecord& record) noexcept;
    bool noteCall(ThreadRecord& record) noexcept;
    /// Lets a thread run on, to its next system call where those are watched.
    void runOn(pid_t thread, int signal) const noexcept;
    static void askAgain(const ThreadRecord& record) noexcept;
    /// Takes in whatever has come, and lets go on whom nobody asked for.
    void dispatch() noexcept;
    void dispatchStop(pid_t thread, int status) noexcept;
    void resume(ThreadRecord& record) noexcept;
    void arm(ThreadRecord& record) noexcept;
    void rearmAll(std::int64_t deadline) noexcept;
    void letSweptGo(bool now) noexcept;
    [[nodiscard]] ThreadRecord* addRecord(pid_t thread) noexcept;
    void dropGone() noexcept;
    void refreshHandled(pid_t thread) noexcept;
    [[nodiscard]] bool ours(pid_t thread) const noexcept;
    [[nodiscard]] bool lastAlive(const ThreadRecord& record) const noexcept;
    [[nodiscard]] long options() const noexcept;
    /// Whatever has come meanwhile.
    void serve() noexcept;
    // Who takes the breakpoints away should we not be able to: guardian_heir.cpp.
    void appointHeir() noexcept;
    void dismissHeir() noexcept;
    [[noreturn]] void inherit(int guardian) noexcept;

    /// Seizes every thread that is not known yet; `found` counts them.
    GuardianReply seizeNew(std::uint32_t& found) noexcept;
    [[nodiscard]] std::uint64_t threadCount() const noexcept;
    GuardianReply seizeOne(pid_t thread, std::uint32_t& found) noexcept;
    void markRunning() noexcept;
    void ask(bool running) noexcept;
    void awaitAsked(std::int64_t deadline) noexcept;
    /// Takes in the stops that have come; returns how many threads are still awaited.
    std::uint32_t collect() noexcept;
    bool note(ThreadRecord& record, int status) noexcept;
    /// Registers, signal sets, and whether we broke off a system call.
    void readState(ThreadRecord& record) noexcept;
    /// The same and the vector state.
    void describe(ThreadRecord& record) noexcept;
    /// A copy of the target that is being read.
    struct Clone {
        pid_t id = 0;  ///< 0: none
        bool ended = false;
        std::uint64_t inTarget = 0;  ///< its pid in the target's own namespace
    };
    bool waitChild(Clone& clone, std::int64_t deadline) noexcept;
    GuardianReply dropClone(Clone& clone) noexcept;
    GuardianReply reap(const Clone& clone) noexcept;
    GuardianReply reapIn(pid_t thread, const Clone& clone) noexcept;
    [[nodiscard]] Clone* cloneOf(pid_t process) noexcept;
    /// Takes in what has become of a clone; false when `process` is none.
    bool noteClone(pid_t process, int status) noexcept;
    [[nodiscard]] bool anyClone() const noexcept;
    void serveLateStops() noexcept;
    void awaitLateStops() noexcept;
    void letGo(ThreadRecord& record) noexcept;
    [[nodiscard]] seccomp::Verdict seccompVerdict(
        pid_t thread, int number, std::span<const std::uint64_t> arguments) const noexcept;

    [[nodiscard]] bool ownerGone() const noexcept;
    [[nodiscard]] bool anyLate() noexcept;
    [[nodiscard]] bool threadIsDead(pid_t thread) const noexcept;
    [[nodiscard]] std::uint32_t* slot(pid_t thread) noexcept;
    [[nodiscard]] bool fatal(int signal) const noexcept;
    [[nodiscard]] std::span<ThreadRecord> records() noexcept { return {records_, header_.count}; }

    const GuardianSetup& setup_;
    SharedHeader& header_;
    ThreadRecord* records_;
    std::uint32_t* table_;  ///< open addressing; index of the record + 1
    std::array<Clone, mostClones> clones_{};
    std::uint64_t site_ = 0;
    bool holding_ = false;
    bool listedAll_ = false;  ///< the last list of threads was whole
    bool late_ = false;       ///< some stuck threads may still stop
    std::uint64_t handled_;   ///< signals that are caught or ignored: not fatal
    std::uint64_t ignored_ = 0;
    bool watching_ = false;
    bool ended_ = false;            ///< the target is gone
    bool exitSeen_ = false;         ///< its end is being told, or has been
    std::uint32_t generation_ = 0;  ///< of the breakpoints; 0: there have never been any
    std::int32_t armError_ = 0;
    int heir_ = -1;                ///< a socket to it
    int pidfd_ = -1;               ///< of the target, where its output is watched
    std::int64_t sweptSince_ = 0;  ///< since when threads that somebody ended wait
};

}  // namespace icecore::live
