// Dumping oneself: a process cannot trace itself, so the program icecore-dumper does it.
//
// A child made by fork alone may not even allocate: another thread may have held the heap's lock.
// So the child only executes the dumper. It freezes this process, the thread that called included,
// which waits here for the answer, and reads the caller's exception and streams out of the frozen
// memory.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

#include "bytes/descriptor_posix.h"
#include "capi/linux/dumper_protocol.h"

namespace icecore::capi {

namespace {

/// Where the dumper is; empty when it is nowhere.
std::string findDumper() {
    if (const char* named = ::secure_getenv("ICECORE_DUMPER")) return named;
    Dl_info info{};
    std::string folder;
    if (::dladdr(reinterpret_cast<const void*>(&writeOwnDump), &info) != 0 &&
        info.dli_fname != nullptr) {
        folder = info.dli_fname;
        const auto slash = folder.rfind('/');
        folder = slash == std::string::npos ? "." : folder.substr(0, slash);
    }
    for (const std::string& path : {folder + "/icecore-dumper",
                                    folder + "/" ICECORE_LIBEXECDIR_FROM_LIBRARY "/icecore-dumper",
                                    std::string(ICECORE_LIBEXECDIR "/icecore-dumper")}) {
        if (::access(path.c_str(), X_OK) == 0) return path;
    }
    return {};
}

/// In the child: only calls that are safe while other threads held whatever lock.
[[noreturn]] void becomeDumper(const char* path, int socket, int output) {
    // Out of the way of where they are to go. A dump that gets a path has no descriptor.
    const int first = ::fcntl(socket, F_DUPFD, 10);
    const int second = output < 0 ? -1 : ::fcntl(output, F_DUPFD, 10);
    (void)::close(dumperOutput);
    if (first >= 0 && (second >= 0) == (output >= 0) && ::dup2(first, dumperSocket) >= 0 &&
        (output < 0 || ::dup2(second, dumperOutput) >= 0)) {
        (void)::syscall(SYS_close_range, dumperOutput + 1, ~0U, 0);
        // Nothing of the caller's environment (LD_PRELOAD…) is meant for it.
        std::array<char, 16> name{"icecore-dumper"};
        const std::array<char*, 2> arguments{name.data(), nullptr};
        const std::array<char*, 1> environment{nullptr};
        ::execve(path, arguments.data(), environment.data());
    }
    ::_exit(127);
}

/// Answers the callback's questions until the dumper's own answer comes.
bool awaitAnswer(int socket, const Ask* ask, DumperAnswer& answer) {
    std::array<std::byte, std::max(sizeof(CallbackQuestion), sizeof(DumperAnswer))> packet{};
    for (;;) {
        const ssize_t got = ::recv(socket, packet.data(), packet.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got == static_cast<ssize_t>(sizeof answer)) {
            std::memcpy(&answer, packet.data(), sizeof answer);
            return true;
        }
        CallbackQuestion question;
        if (got != static_cast<ssize_t>(sizeof question) || ask == nullptr) return false;
        std::memcpy(&question, packet.data(), sizeof question);
        const auto said = (*ask)(question);
        if (!said || ::send(socket, &*said, sizeof *said, MSG_NOSIGNAL) < 0) return false;
    }
}

}  // namespace

std::uint64_t ownPid() {
    return static_cast<std::uint64_t>(::getpid());
}

bool isOwn(std::uint64_t pid) {
    return pid == ownPid();
}

Result<void> checkWritable(int descriptor) {
    const int flags = ::fcntl(descriptor, F_GETFL);
    if (flags < 0) return fail(Errc::usage, "it is not an open descriptor");
    if ((flags & O_ACCMODE) == O_RDONLY)
        return fail(Errc::usage, "the descriptor is not open for writing");
    return {};
}

Result<DumpOutcome> writeOwnDump(const DumpRequest& given, const Ask* ask) {
    DumpRequest request = given;
    request.askedInTarget = ask != nullptr;
    const std::string dumper = findDumper();
    if (dumper.empty()) {
        return fail(Errc::not_found,
                    "dumping oneself needs the program icecore-dumper beside the library");
    }
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return failErrno(errno, "cannot make a socket pair");
    const Descriptor ours(ends[0]);
    Descriptor theirs(ends[1]);
    // No handler of the program may run in the child.
    sigset_t everything;
    sigset_t before;
    sigfillset(&everything);
    ::pthread_sigmask(SIG_SETMASK, &everything, &before);
    // Like fork, but without its handlers and without an exit signal: the program must not see the
    // death of a child it did not start.
    const long child = ::syscall(SYS_clone, 0, 0, 0, 0, 0);
    if (child == 0) becomeDumper(dumper.c_str(), theirs.get(), request.descriptor);
    const int error = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (child < 0) return failErrno(error, "cannot start icecore-dumper");
    theirs.reset();

    // Yama lets only ancestors trace, and whom the process names: the dumper, and with it the
    // dumper's guardian. Where there is no Yama this fails and nobody minds.
    (void)::prctl(PR_SET_PTRACER, static_cast<unsigned long>(child), 0, 0, 0);
    (void)::send(ours.get(), &request, sizeof request, MSG_NOSIGNAL);
    DumperAnswer answer;
    const bool answered = awaitAnswer(ours.get(), ask, answer);
    (void)::prctl(PR_SET_PTRACER, 0, 0, 0, 0);
    while (::waitpid(static_cast<pid_t>(child), nullptr, __WCLONE) < 0 && errno == EINTR) {
    }
    if (!answered) return fail(Errc::internal, dumper + " ended without an answer");
    if (answer.done) return answer.outcome;
    answer.message.back() = '\0';
    return fail(answer.code, answer.message.data());
}

}  // namespace icecore::capi
