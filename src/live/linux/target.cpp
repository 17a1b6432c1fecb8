#include "live/linux/target.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/text.h"

namespace icecore::live {

namespace {

constexpr unsigned capSysPtrace = 19;  // linux/capability.h

std::string userName(std::uint64_t uid) {
    passwd entry{};
    passwd* found = nullptr;
    std::array<char, 4096> buffer;
    if (::getpwuid_r(static_cast<uid_t>(uid), &entry, buffer.data(), buffer.size(), &found) == 0 &&
        found != nullptr)
        return fmt::format("{} (uid {})", found->pw_name, uid);
    return fmt::format("uid {}", uid);
}

std::string nameOf(std::uint64_t pid) {
    return std::string(trim(readProcOrEmpty(procPath(static_cast<pid_t>(pid), "comm"))));
}

Error refusal(const Target& target, Errc code, std::string message) {
    return {code, std::move(message), target.describe(), nullptr};
}

/// The four numbers of a line "Uid:" or "Gid:": real, effective, saved, file system.
std::vector<std::uint64_t> ids(std::string_view status, std::string_view key) {
    std::vector<std::uint64_t> numbers;
    for (const std::string_view field : splitBlanks(statusField(status, key)))
        numbers.push_back(parseDecimal(field).value_or(UINT64_MAX));
    return numbers;
}

/// Whether real, effective and saved id of the target all are ours: what ptrace(2) demands of a
/// process without CAP_SYS_PTRACE.
bool allAre(const std::vector<std::uint64_t>& numbers, std::uint64_t ours) {
    return numbers.size() >= 3 && numbers[0] == ours && numbers[1] == ours && numbers[2] == ours;
}

std::optional<std::string> yamaRefusalHere() {
    return yamaRefusal(readProcOrEmpty("/proc/sys/kernel/yama/ptrace_scope"));
}

}  // namespace

std::optional<std::string> yamaRefusal(std::string_view ptraceScope) {
    switch (parseDecimal(trim(ptraceScope)).value_or(0)) {
    case 1:
        return "the Yama setting kernel.yama.ptrace_scope=1 lets a process trace only its own "
               "children: run icecore as root, or set it to 0";
    case 2:
        return "the Yama setting kernel.yama.ptrace_scope=2 lets only processes with "
               "CAP_SYS_PTRACE trace: run icecore as root";
    case 3:
        return "the Yama setting kernel.yama.ptrace_scope=3 forbids tracing altogether, until the "
               "next boot";
    default: return std::nullopt;
    }
}

bool Target::same() const {
    const auto now = parseStat(readProcOrEmpty(procPath(pid, "stat")));
    return now && now->startTicks == stat.startTicks;
}

std::string Target::describe() const {
    return fmt::format("pid {} ({})", pid, stat.name);
}

Result<Target> identify(std::uint64_t number) {
    const std::string who = fmt::format("pid {}", number);
    if (number == 0 || number > INT32_MAX) return fail(Errc::not_found, "no such process", who);
    Target target;
    target.pid = static_cast<pid_t>(number);
    if (target.pid == ::getpid()) return fail(Errc::usage, "icecore cannot freeze itself", who);
    if (readLink("/proc/self") != std::to_string(::getpid())) {
        return fail(Errc::unsupported,
                    "/proc is missing or belongs to another PID namespace: mount the one of this "
                    "namespace",
                    who);
    }
    // Pinned first, then looked at: what is read afterwards is of this process or fails.
    target.pidfd = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, target.pid, 0)));
    const int pinned = errno;
    const auto stat = parseStat(readProcOrEmpty(procPath(target.pid, "stat")));
    if (!stat || (!target.pidfd.valid() && pinned == ESRCH))
        return fail(Errc::not_found, "no such process", who);
    target.stat = *stat;
    target.status = readProcOrEmpty(procPath(target.pid, "status"));
    if (const auto group = statusNumber(target.status, "Tgid"); group && *group != number) {
        return fail(
            Errc::usage,
            fmt::format("is a thread of process {} ({}): name that", *group, nameOf(*group)), who);
    }
    if (target.stat.kernelThread()) {
        return fail(Errc::unsupported, "is a kernel thread: it has no memory of its own",
                    target.describe());
    }
    target.taskDirectory = Descriptor(
        ::open(procPath(target.pid, "task").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!target.taskDirectory.valid()) return fail(Errc::target_gone, "has just ended", who);
    target.threads = numbersIn(procPath(target.pid, "task"));
    target.memoryThread = target.pid;
    if (target.stat.dead()) {
        target.memoryThread = 0;
        for (const std::uint64_t thread : target.threads) {
            const auto id = static_cast<pid_t>(thread);
            const auto state = parseStat(readProcOrEmpty(taskPath(target.pid, id, "stat")));
            if (!state || state->dead()) continue;
            target.memoryThread = id;
            break;
        }
        if (target.memoryThread == 0) {
            return fail(Errc::target_gone,
                        fmt::format("has ended already; it is a zombie until its parent, pid {} "
                                    "({}), collects it",
                                    target.stat.parent,
                                    nameOf(static_cast<std::uint64_t>(target.stat.parent))),
                        target.describe());
        }
    }
    return target;
}

Error explainRefusal(const Target& target, int error) {
    if (error == ESRCH || !target.same())
        return refusal(target, Errc::target_gone, "has ended while it was being frozen");
    const std::string status = readProcOrEmpty(procPath(target.pid, "status"));
    if (const auto tracer = statusNumber(status, "TracerPid"); tracer.value_or(0) != 0) {
        return refusal(target, Errc::busy,
                       fmt::format("is already traced by pid {} ({}): a process can have only one "
                                   "tracer",
                                   *tracer, nameOf(*tracer)));
    }
    if (error != EPERM && error != EACCES)
        return failErrno(error, "cannot be traced", target.describe()).error();

    const bool capable =
        (statusMask(readProcOrEmpty("/proc/self/status"), "CapEff") >> capSysPtrace & 1U) != 0;
    const std::string theirNamespace = readLink(procPath(target.pid, "ns/user"));
    const std::string ourNamespace = readLink("/proc/self/ns/user");
    if (capable) {
        if (const auto yama = yamaRefusalHere(); yama && yama->find("=3") != std::string::npos)
            return refusal(target, Errc::permission, "not permitted: " + *yama);
        if (theirNamespace != ourNamespace) {
            return refusal(target, Errc::permission,
                           "not permitted: it lives in another user namespace, in which our "
                           "CAP_SYS_PTRACE counts for nothing");
        }
        return refusal(target, Errc::permission,
                       "not permitted, although icecore has CAP_SYS_PTRACE: a security module "
                       "(SELinux, AppArmor) or a seccomp filter around icecore forbids it");
    }
    const auto uids = ids(status, "Uid");
    const auto gids = ids(status, "Gid");
    if (!allAre(uids, ::getuid())) {
        return refusal(
            target, Errc::permission,
            fmt::format("not permitted: it belongs to user {}, icecore runs as {} and "
                        "has no CAP_SYS_PTRACE: run it as that user or as root",
                        userName(uids.size() > 1 ? uids[1] : UINT64_MAX), userName(::getuid())));
    }
    if (!allAre(gids, ::getgid())) {
        return refusal(target, Errc::permission,
                       fmt::format("not permitted: it runs in group {}, icecore in group {}, and "
                                   "icecore has no CAP_SYS_PTRACE",
                                   gids.size() > 1 ? gids[1] : 0, ::getgid()));
    }
    // The files in /proc/PID belong to root when the process is not dumpable: proc(5).
    struct stat owner{};
    if (::stat(procPath(target.pid, "status").c_str(), &owner) == 0 && owner.st_uid != ::getuid()) {
        return refusal(target, Errc::permission,
                       "not permitted: it is not dumpable (a set-uid program, one with file "
                       "capabilities, or PR_SET_DUMPABLE), and icecore has no CAP_SYS_PTRACE: run "
                       "it as root");
    }
    if (!theirNamespace.empty() && theirNamespace != ourNamespace) {
        return refusal(target, Errc::permission,
                       "not permitted: it lives in another user namespace, and icecore has no "
                       "CAP_SYS_PTRACE there");
    }
    if ((statusMask(status, "CapPrm") &
         ~statusMask(readProcOrEmpty("/proc/self/status"), "CapPrm")) != 0) {
        return refusal(target, Errc::permission,
                       "not permitted: it has capabilities that icecore lacks, and icecore has no "
                       "CAP_SYS_PTRACE");
    }
    if (const auto yama = yamaRefusalHere())
        return refusal(target, Errc::permission, "not permitted: " + *yama);
    return refusal(target, Errc::permission,
                   "not permitted: a security module (SELinux, AppArmor) or a seccomp filter "
                   "around icecore forbids it");
}

}  // namespace icecore::live
