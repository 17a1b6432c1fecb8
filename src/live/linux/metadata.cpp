#include "live/linux/metadata.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "base/text.h"
#include "base/version.h"

namespace icecore::live {

namespace {

std::chrono::nanoseconds fromTicks(std::uint64_t ticks) {
    static const auto perSecond = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    return std::chrono::nanoseconds(ticks / perSecond * 1'000'000'000 +
                                    ticks % perSecond * 1'000'000'000 / perSecond);
}

std::chrono::nanoseconds clockNow(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

TimePoint sinceBoot(std::uint64_t ticks) {
    const auto boot = clockNow(CLOCK_REALTIME) - clockNow(CLOCK_BOOTTIME);
    return TimePoint(boot + fromTicks(ticks));
}

/// A file under the target's root, its links followed inside of that root only: what a container
/// calls /etc/os-release must not lead to a file of ours.
std::string readUnderRoot(pid_t process, const char* path) {
    const Descriptor root(
        ::open(procPath(process, "root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid()) return {};
    open_how how{};
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const Descriptor file(
        static_cast<int>(::syscall(SYS_openat2, root.get(), path, &how, sizeof how)));
    struct stat status{};
    if (!file.valid() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return {};
    std::string text(65536, '\0');
    const ssize_t got = ::read(file.get(), text.data(), text.size());
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

/// The value of KEY=value or KEY="value" in an os-release file, os-release(5).
std::string releaseField(std::string_view text, std::string_view key) {
    for (const std::string_view line : split(text, '\n')) {
        if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != '=')
            continue;
        std::string_view value = trim(line.substr(key.size() + 1));
        if (value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0])
            value = value.substr(1, value.size() - 2);
        return printable(value);
    }
    return {};
}

std::string cpuModel(std::string_view cpuinfo) {
    for (const std::string_view line : split(cpuinfo, '\n')) {
        const std::size_t colon = line.find(':');
        if (colon != std::string_view::npos && trim(line.substr(0, colon)) == "model name")
            return printable(trim(line.substr(colon + 1)));
    }
    return {};
}

SystemInfo describeSystem(std::string_view osRelease, std::string_view cpuinfo) {
    SystemInfo system;
    system.os = Os::linux_os;
    system.arch = native::arch;
    utsname names{};
    if (::uname(&names) == 0) {
        system.version = fmt::format("{} {}", names.release, names.version);
        system.hostName = names.nodename;
        std::uint32_t* const parts[] = {&system.major, &system.minor, &system.build};
        const char* at = names.release;
        for (std::uint32_t* part : parts) {
            char* end = nullptr;
            *part = static_cast<std::uint32_t>(std::strtoul(at, &end, 10));
            if (end == at || *end != '.') break;
            at = end + 1;
        }
    }
    system.distribution = releaseField(osRelease, "PRETTY_NAME");
    const long cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
    system.cpuCount = cpus > 0 ? static_cast<std::uint32_t>(cpus) : 0;
    system.cpuModel = cpuModel(cpuinfo);
    return system;
}

Exception describeException(const ThreadRecord& record) {
    Exception exception;
    const siginfo_t& info = record.signalInfo;
    exception.threadId = static_cast<std::uint64_t>(record.id);
    const int signal = record.signal != 0 ? record.signal : record.seen;
    exception.code = static_cast<std::uint32_t>(signal);
    if (record.event != EventKind::none) exception.firstChance = !record.deadly;
    exception.address = native::toRegisters(record.registers).pc();
    if (!record.hasSignalInfo) return exception;
    exception.signalCode = info.si_code;
    exception.signalErrno = info.si_errno;
    const bool fromProcess = info.si_code <= 0;  // SI_USER, SI_QUEUE, SI_TKILL…
    switch (signal) {
    case SIGSEGV:
    case SIGBUS:
    case SIGILL:
    case SIGFPE:
    case SIGTRAP:
        if (!fromProcess) exception.faultAddress = reinterpret_cast<std::uint64_t>(info.si_addr);
        break;
    default: break;
    }
    if (fromProcess && info.si_pid != 0) exception.sender = static_cast<std::uint64_t>(info.si_pid);
    std::vector<std::byte> raw(sizeof info);
    std::memcpy(raw.data(), &info, sizeof info);
    exception.rawSignalInfo = SharedBytes::own(std::move(raw));
    return exception;
}

/// What /proc/…/syscall tells of a thread that cannot be stopped: "NR args… SP PC".
std::optional<Context> contextOfBlocked(pid_t process, pid_t thread) {
    const std::string text = readProcOrEmpty(taskPath(process, thread, "syscall"));
    const auto fields = splitBlanks(trim(text));
    if (fields.size() < 3) return std::nullopt;
    const auto sp = parseNumber(fields[fields.size() - 2]);
    const auto pc = parseNumber(fields[fields.size() - 1]);
    if (!sp || !pc || *pc == 0) return std::nullopt;
    Context context;
    context.registers = Registers(native::arch);
    context.registers.set(archInfo(native::arch).sp, *sp);
    context.registers.set(archInfo(native::arch).pc, *pc);
    return context;
}

std::string handleType(const std::string& path, std::string_view target) {
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0) {
        if (S_ISREG(status.st_mode)) return "File";
        if (S_ISDIR(status.st_mode)) return "Directory";
        if (S_ISCHR(status.st_mode)) return "CharacterDevice";
        if (S_ISBLK(status.st_mode)) return "BlockDevice";
        if (S_ISFIFO(status.st_mode)) return "Pipe";
        if (S_ISSOCK(status.st_mode)) return "Socket";
    }
    // "anon_inode:[eventpoll]", "anon_inode:inotify"
    constexpr std::string_view anonymous = "anon_inode:";
    if (target.starts_with(anonymous)) {
        target.remove_prefix(anonymous.size());
        if (target.starts_with('[') && target.ends_with(']'))
            target = target.substr(1, target.size() - 2);
    }
    return std::string(target);
}

}  // namespace

Thread describeThread(pid_t process, pid_t thread) {
    Thread described;
    described.id = static_cast<std::uint64_t>(thread);
    if (const auto stat = parseStat(readProcOrEmpty(taskPath(process, thread, "stat")))) {
        described.name = stat->name;
        described.state = stat->state;
        described.priority = stat->nice;
        described.userTime = fromTicks(stat->userTicks);
        described.kernelTime = fromTicks(stat->kernelTicks);
        described.created = sinceBoot(stat->startTicks);
    }
    cpu_set_t cpus;
    if (::sched_getaffinity(thread, sizeof cpus, &cpus) == 0) {
        std::uint64_t mask = 0;
        for (unsigned cpu = 0; cpu < 64; ++cpu) {
            if (CPU_ISSET(cpu, &cpus)) mask |= std::uint64_t{1} << cpu;
        }
        described.affinity = mask;
    }
    return described;
}

EarlyData gatherEarly(const Target& target) {
    EarlyData early;
    const auto attach = [&](std::string name, std::string text) {
        if (!text.empty())
            early.attachments.push_back({std::move(name), SharedBytes::own(std::move(text))});
    };
    const pid_t pid = target.memoryThread;
    std::string cpuinfo = readProcOrEmpty("/proc/cpuinfo");
    std::string release = readUnderRoot(pid, "etc/os-release");
    if (release.empty()) release = readUnderRoot(pid, "usr/lib/os-release");
    early.system = describeSystem(release, cpuinfo);
    attach("linux/status", target.status);
    attach("linux/stat", readProcOrEmpty(procPath(target.pid, "stat")));
    attach("linux/cpuinfo", std::move(cpuinfo));
    attach("linux/lsb-release", std::move(release));
    attach("linux/cmdline", readProcOrEmpty(procPath(pid, "cmdline")));
    attach("linux/environ", readProcOrEmpty(procPath(pid, "environ")));
    attach("linux/auxv", readProcOrEmpty(procPath(pid, "auxv")));
    attach("linux/limits", readProcOrEmpty(procPath(pid, "limits")));
    for (const std::uint64_t thread : target.threads) {
        const auto id = static_cast<pid_t>(thread);
        early.threads.emplace(id, describeThread(target.pid, id));
    }
    return early;
}

void describeProcess(const Target& target, Process& process) {
    const pid_t pid = target.memoryThread;
    const ProcStat& stat = target.stat;
    process.pid = static_cast<std::uint64_t>(target.pid);
    process.parentPid = static_cast<std::uint64_t>(std::max(stat.parent, 0));
    process.name = stat.name;
    process.executable = readLink(procPath(pid, "exe"));
    process.commandLine = splitNul(readProcOrEmpty(procPath(pid, "cmdline")));
    process.environment = splitNul(readProcOrEmpty(procPath(pid, "environ")));
    process.workingDirectory = readLink(procPath(pid, "cwd"));
    if (const auto uid = statusNumber(target.status, "Uid"))
        process.uid = static_cast<std::uint32_t>(*uid);
    if (const auto gid = statusNumber(target.status, "Gid"))
        process.gid = static_cast<std::uint32_t>(*gid);
    process.processGroup = stat.processGroup;
    process.session = stat.session;
    process.started = sinceBoot(stat.startTicks);
    process.userTime = fromTicks(stat.userTicks);
    process.kernelTime = fromTicks(stat.kernelTicks);
    const std::string auxv = readProcOrEmpty(procPath(pid, "auxv"));
    for (std::size_t at = 0; at + 16 <= auxv.size(); at += 16) {
        std::uint64_t entry[2];
        std::memcpy(entry, auxv.data() + at, sizeof entry);
        if (entry[0] == 0) break;  // AT_NULL
        process.auxv.emplace_back(entry[0], entry[1]);
    }
}

void addThreads(const Guardian& guardian, std::span<const ThreadRecord> records,
                const EarlyData& early, Process& process, Issues& issues) {
    process.threads.coverage = Coverage::complete;
    const auto pid = static_cast<pid_t>(process.pid);
    for (const ThreadRecord& record : records) {
        if (record.state == ThreadState::gone) continue;
        const auto known = early.threads.find(record.id);
        Thread thread =
            known != early.threads.end() ? known->second : describeThread(pid, record.id);
        // New ones are seen in our own stop.
        if (known == early.threads.end() && thread.state == 't') thread.state = 0;
        if (record.hasRegisters) {
            Context context;
            context.registers = native::toRegisters(record.registers);
            const SharedBytes vectors = guardian.extended(record);
            if (vectors.size() >= native::floatingPointSize) {
                context.floatingPoint =
                    SharedBytes(std::make_shared<SharedBytes>(vectors),
                                vectors.span().first(native::floatingPointSize));
                if (vectors.size() > native::floatingPointSize) context.extended = vectors;
            }
            thread.context = std::move(context);
            thread.tls = native::threadPointer(record.registers);
            thread.blockedSignals = record.blocked;
            thread.pendingSignals = record.pending;
            thread.currentSignal = record.signal != 0 ? record.signal : record.seen;
        } else if (record.state == ThreadState::stuck || record.state == ThreadState::held) {
            process.threads.coverage = Coverage::partial;
            thread.context = contextOfBlocked(pid, record.id);
            issues.loss(fmt::format(
                "thread {} ({}) did not stop in time, it is in the kernel "
                "(state {}): {}",
                record.id, printable(thread.name), thread.state == 0 ? '?' : thread.state,
                thread.context ? "only its program counter and stack pointer "
                                 "are known"
                               : "its registers are unknown"));
        } else if (record.state == ThreadState::dead) {
            thread.state = 'Z';
            issues.note(fmt::format("the main thread {} has ended before the others", record.id));
        } else {
            process.threads.coverage = Coverage::partial;
            issues.loss(fmt::format("the registers of thread {} could not be read", record.id));
        }
        // The event that was asked for comes before what else happened in the same moment.
        if (record.told || (!process.exception && (record.signal != 0 || record.seen != 0))) {
            if (record.signal != 0 || record.seen != 0)
                process.exception = describeException(record);
        }
        process.threads.items.push_back(std::move(thread));
    }
}

void addStackRanges(Process& process) {
    for (Thread& thread : process.threads.items) {
        if (!thread.context || !thread.context->registers.has(archInfo(native::arch).sp)) continue;
        const std::uint64_t sp = thread.context->registers.sp();
        const Region* region = process.regionAt(sp);
        if (region == nullptr) continue;
        std::uint64_t end = region->range.end();
        // Stacks of threads may lie in one mapping, one after another (without a guard page
        // between them, or with one that is no mapping of its own: MADV_GUARD_INSTALL). glibc and
        // musl keep the thread's own structure at the top of its stack, where its TLS is.
        constexpr std::uint64_t threadStructure = 4096;
        if (region->kind != RegionKind::stack && thread.tls && *thread.tls > sp)
            end = std::min(end, alignUp(*thread.tls + threadStructure, pageSize()));
        thread.stack = Range::between(sp, end);
    }
}

Provenance liveProvenance(const Target& target, TimePoint time) {
    Provenance provenance;
    provenance.path = fmt::format("pid {}", target.pid);
    provenance.format = "live";
    provenance.time = time;
    provenance.tool = fmt::format("icecore {}", versionText);
    return provenance;
}

Listing<Handle> listHandles(pid_t process) {
    // Read while the process stands still: more are not worth a pause of seconds.
    constexpr std::size_t limit = 65536;
    Listing<Handle> handles;
    const std::string directory = procPath(process, "fd");
    if (::access(directory.c_str(), R_OK | X_OK) != 0) {
        handles.coverage = Coverage::failed;
        return handles;
    }
    handles.coverage = Coverage::complete;
    for (const std::uint64_t number : numbersIn(directory)) {
        if (handles.size() >= limit) {
            handles.coverage = Coverage::partial;
            break;
        }
        const std::string path = fmt::format("{}/{}", directory, number);
        Handle handle;
        handle.value = number;
        handle.name = readLink(path);
        if (handle.name.empty()) continue;  // closed meanwhile
        handle.type = handleType(path, handle.name);
        handle.handleCount = 1;
        const std::string info =
            readProcOrEmpty(procPath(process, fmt::format("fdinfo/{}", number)));
        handle.position = statusNumber(info, "pos");
        const std::string flags(statusField(info, "flags"));
        handle.access = static_cast<std::uint32_t>(std::strtoul(flags.c_str(), nullptr, 8));
        handles.items.push_back(std::move(handle));
    }
    return handles;
}

}  // namespace icecore::live
