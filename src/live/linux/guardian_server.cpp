// The guardian: what its owner asks for.
#include "live/linux/guardian_server.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "live/linux/traced_thread.h"

namespace icecore::live {

GuardianReply GuardianServer::freeze(std::int64_t timeoutMs) noexcept {
    std::uint32_t found = 0;
    if (watching_) {
        header_.arenaUsed = 0;
        header_.stoppedAt = header_.releasedAt = 0;
        dropGone();
        for (ThreadRecord& record : records()) {
            if (record.state != ThreadState::stopped) continue;
            if (header_.stoppedAt == 0) header_.stoppedAt = traced::now();
            describe(record);
        }
    }
    site_ = traced::findSyscall(setup_.target);
    // While they still run: seizing costs them nothing, and takes most of the time.
    for (int round = 0; round < 3; ++round) {
        found = 0;
        if (const auto reply = seizeNew(found); reply.failure != GuardianFailure::none)
            return reply;
        if (found == 0) break;
    }
    holding_ = true;
    std::int64_t deadline = traced::now() + timeoutMs * 1'000'000;
    int quiet = 0;
    for (;;) {
        // Who sleeps first: while those are brought to rest and read, who works goes on working.
        // Half the time is theirs at most.
        markRunning();
        ask(false);
        awaitAsked(traced::now() + (deadline - traced::now()) / 2);
        ask(true);
        awaitAsked(deadline);
        for (ThreadRecord& record : records()) {
            if (record.state != ThreadState::asked) continue;
            record.state = ThreadState::stuck;
            late_ = true;
        }
        // Threads that were made by those we had not stopped yet.
        found = 0;
        if (const auto reply = seizeNew(found); reply.failure != GuardianFailure::none)
            return reply;
        if (found == 0) {
            // Where threads come and go, births hide from the count what the list left out: then
            // only several lists that name nobody new are believed.
            const bool churn = std::ranges::any_of(
                records(), [](const ThreadRecord& r) { return r.state == ThreadState::gone; });
            constexpr int believed = 1, believedInChurn = 5;
            quiet = listedAll_ ? quiet + 1 : 0;
            if (quiet >= (churn ? believedInChurn : believed) || traced::now() > deadline ||
                ownerGone())
                break;
            traced::sleepForChild(200'000);
            continue;
        }
        quiet = 0;
        deadline = std::max(deadline, traced::now() + 100'000'000);
        if (ownerGone()) return {GuardianFailure::gone, ESRCH, 0};
    }
    for (const ThreadRecord& record : records()) {
        if (record.state != ThreadState::stopped) continue;
        header_.sharedPending = traced::pendingSignals(record.id, true);
        return {};
    }
    for (const ThreadRecord& record : records()) {
        if (record.state == ThreadState::stuck || record.state == ThreadState::held) return {};
    }
    return {GuardianFailure::gone, ESRCH, 0};
}

GuardianReply GuardianServer::release() noexcept {
    if (!holding_) return {};
    holding_ = false;
    // Who worked first: the others will hardly notice.
    for (const bool running : {true, false}) {
        for (ThreadRecord& record : records()) {
            if (record.state != ThreadState::stopped || record.running != running) continue;
            letGo(record);
            if (!watching_) record.state = ThreadState::seized;
        }
    }
    header_.releasedAt = traced::now();
    return {};
}

GuardianReply GuardianServer::finish() noexcept {
    release();
    serve();
    // From here on whoever wants to capture the target again finds just those taken.
    if (!watching_ && anyLate()) ::prctl(PR_SET_NAME, traced::lateGuardianName);
    GuardianReply reply;
    for (Clone& clone : clones_) {
        if (clone.id == 0) continue;
        if (const auto dropped = dropClone(clone); dropped.failure != GuardianFailure::none)
            reply = dropped;
    }
    return reply;
}

void GuardianServer::serve() noexcept {
    if (watching_)
        dispatch();
    else
        serveLateStops();
}

void GuardianServer::run() noexcept {
    // SIGCHLD is blocked: it wakes a wait for the owner, too.
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const int news = ::signalfd(-1, &child, SFD_NONBLOCK | SFD_CLOEXEC);
    for (;;) {
        pollfd sources[] = {{setup_.socket, POLLIN, 0}, {news, POLLIN, 0}};
        // While anything is traced, its end must be taken in soon: until the tracer has done so,
        // its own parent waits for it in vain.
        constexpr int soon = 20;
        constexpr int watching = 100;  // for those that were swept away
        const bool busy = late_ || holding_ || anyClone();
        const int ready = ::poll(sources, 2, busy ? soon : sweptSince_ != 0 ? watching : -1);
        if (sources[1].revents != 0) {
            signalfd_siginfo told[16];
            while (::read(news, told, sizeof told) > 0) {
            }
        }
        serve();
        if (ready <= 0 || sources[0].revents == 0) continue;
        GuardianRequest request;
        const ssize_t got = ::recv(setup_.socket, &request, sizeof request, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got != sizeof request) break;  // the owner is gone, however it died
        GuardianReply reply;
        switch (request.op) {
        case GuardianOp::freeze: reply = freeze(request.argument); break;
        case GuardianOp::clone: reply = clone(static_cast<std::uint64_t>(request.argument)); break;
        case GuardianOp::release: reply = release(); break;
        case GuardianOp::finish: reply = finish(); break;
        case GuardianOp::drop: reply = drop(static_cast<pid_t>(request.argument)); break;
        case GuardianOp::watch: reply = watch(); break;
        case GuardianOp::next: reply = next(request.argument); break;
        case GuardianOp::pass: reply = pass(static_cast<pid_t>(request.argument)); break;
        case GuardianOp::leave: reply = leave(); break;
        }
        if (::send(setup_.socket, &reply, sizeof reply, MSG_NOSIGNAL) < 0) break;
    }
    finish();
    leave();
    awaitLateStops();
    ::_exit(0);
}

void runGuardian(const GuardianSetup& setup) noexcept {
    // A session of its own: Ctrl-C and a killed process group are meant for others.
    ::setsid();
    traced::nameProcess(traced::guardianName);
    // While it works somebody stands still; on a busy machine it must not queue with the others.
    // Without CAP_SYS_NICE it stays as it is.
    constexpr int most = -20;
    (void)::setpriority(PRIO_PROCESS, 0, most);
    struct sigaction standard{};
    standard.sa_handler = SIG_DFL;
    ::sigaction(SIGCHLD, &standard, nullptr);
    traced::keepOnly(setup.socket, setup.taskDirectory);
    GuardianServer(setup).run();
}

}  // namespace icecore::live
