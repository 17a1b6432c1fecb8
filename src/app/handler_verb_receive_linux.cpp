// The receiver: the kernel runs it, as root, for every crash. A worker does what can go wrong (a
// foreign core, a full disk, a process that hangs); what it ends with is recorded by a supervisor
// that does nothing else and waits only so long.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "analysis/analysis.h"
#include "app/dump_names.h"
#include "app/handler_verb.h"
#include "app/verb.h"
#include "base/text.h"
#include "base/time_text.h"
#include "bytes/descriptor_posix.h"
#include "formats/format.h"
#include "live/linux/crash_process.h"
#include "live/linux/crash_stream.h"
#include "model/save_plan.h"
#include "model/signals.h"

namespace icecore::app::handler {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

namespace {

/// LOG_CRIT of the facility LOG_DAEMON, RFC 3164.
constexpr int journalPriority = 3 * 8 + 2;
constexpr std::size_t maxReport = std::size_t{1} << 20;

/// One datagram to whoever keeps the journal; the kernel's log where nobody does. Never waits.
void tellJournal(const Places& places, const std::string& line) {
    const std::string text = fmt::format("<{}>icecore[{}]: {}", journalPriority, ::getpid(), line);
    const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = places.log().string();
    if (socket.valid() && path.size() < sizeof address.sun_path) {
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        // A storm fills the socket's queue: a moment later there is room again.
        for (int attempt = 0; attempt < 100; ++attempt) {
            if (::sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL,
                         reinterpret_cast<const sockaddr*>(&address), sizeof address) >= 0)
                return;
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS) break;
            ::poll(nullptr, 0, 20);
        }
    }
    if (places.root != "/") return;
    const Descriptor kernel(::open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NONBLOCK));
    if (kernel.valid()) (void)!::write(kernel.get(), text.data(), text.size());
}

class Worker {
public:
    Worker(const Settings& settings, const live::CrashedProcess& crashed, Crash& crash,
           Clock::time_point deadline)
        : settings_(settings),
          crashed_(crashed),
          crash_(crash),
          stream_(Descriptor(STDIN_FILENO), deadline) {}

    void run(const fs::path& base) {
        const auto head = stream_.readHead();
        if (!head) {
            crash_.problems.push_back(head.error().describe());
            return;
        }
        if (const auto kept = keepAsAsked(base); !kept) {
            crash_.problems.push_back("not kept as asked for: " + kept.error().describe());
            // A minidump needs little space, and says most.
            if (settings_.format != "minidump" || !settings_.type.empty()) {
                const auto small = writeFromProcess(base, "minidump", DumpType{});
                if (!small)
                    crash_.problems.push_back("no minidump either: " + small.error().describe());
            }
        }
        judge();
        stream_.close();
    }

private:
    Result<void> keepAsAsked(const fs::path& base) {
        DumpType type;
        if (!settings_.type.empty()) {
            ASSIGN_OR_RETURN(type, parseDumpType(settings_.type));
        } else if (settings_.format == "core") {
            return keepKernelsCore(base);
        }
        return writeFromProcess(base, settings_.format, type);
    }

    fs::path pathFor(const fs::path& base, std::string_view format) const {
        return base.string() + std::string(formatByName(format)->extension);
    }

    Result<void> keepKernelsCore(const fs::path& base) {
        const fs::path path = pathFor(base, "core");
        ASSIGN_OR_RETURN(const auto sink, createFileSink(path, {}));
        ASSIGN_OR_RETURN(const auto copied, stream_.copyTo(*sink, settings_.maxBytes));
        TRY(sink->finish());
        if (copied.cut) crash_.problems.emplace_back("the kernel did not finish the core");
        note(path, "core", "kernel-default");
        return {};
    }

    /// The process as it stands there, opened once.
    Result<const Snapshot*> process() {
        if (!snapshot_) {
            const auto source = memorySource(stream_.headAsCore(), "the kernel's core");
            ASSIGN_OR_RETURN(Snapshot notes, formatByName("core")->open(source));
            ASSIGN_OR_RETURN(snapshot_, live::snapshotCrashed(crashed_.pid, std::move(notes)));
        }
        return &*snapshot_;
    }

    Result<void> writeFromProcess(const fs::path& base, std::string_view formatName,
                                  DumpType type) {
        ASSIGN_OR_RETURN(const Snapshot* snapshot, process());
        const Format* format = formatByName(formatName);
        snapshot_->provenance.type = toString(type);
        const SavePlan plan = planSave(*snapshot->process, type);
        const fs::path path = pathFor(base, formatName);
        FileSinkOptions options;
        options.expected = presentBytes(plan, *snapshot->process->memory);
        if (options.expected > settings_.maxBytes)
            return fail(Errc::limit, "larger than may be kept: " + humanBytes(options.expected));
        ASSIGN_OR_RETURN(const auto sink, createFileSink(path, options));
        SilentProgress progress;
        ASSIGN_OR_RETURN(const WriteReport report, format->write(*snapshot, plan, *sink, progress));
        TRY(sink->finish());
        if (!report.unread.empty())
            crash_.problems.push_back(
                fmt::format("{} ranges could not be read", report.unread.size()));
        note(path, formatName, toString(type));
        return {};
    }

    void note(const fs::path& path, std::string_view format, std::string type) {
        crash_.path = path.string();
        crash_.format = format;
        crash_.type = std::move(type);
    }

    /// The verdict from what was kept; from the process itself, where nothing could be.
    void judge() {
        const Snapshot* snapshot = nullptr;
        std::optional<Snapshot> kept;
        if (!crash_.path.empty()) {
            // The files that the process' paths name are needed for names; where they are ours too,
            // it need not wait: whoever restarts it does.
            if (!crashed_.foreignRoot) {
                stream_.close();
                snapshot_.reset();
            }
            if (auto opened = openDump(crash_.path)) {
                kept = *std::move(opened);
                snapshot = &*kept;
            } else {
                crash_.problems.push_back(opened.error().describe());
            }
        } else if (const auto live = process()) {
            snapshot = *live;
        }
        if (snapshot == nullptr || !snapshot->process) return;
        SymbolOptions options;
        if (crashed_.foreignRoot) options.root = live::rootOf(crashed_.pid);
        const Symbolizer symbolizer(*snapshot->process, options);
        const Unwinder unwinder(*snapshot->process, symbolizer);
        SilentProgress progress;
        const Analysis analysis = analyze(*snapshot, unwinder, symbolizer, progress);
        crash_.verdict = analysis.verdict.summary;
        crash_.bucket = analysis.verdict.bucket;
    }

    const Settings& settings_;
    const live::CrashedProcess& crashed_;
    Crash& crash_;
    live::CrashStream stream_;
    std::optional<Snapshot> snapshot_;
};

/// Reads what the worker reports until it ends; false when it does not in time.
bool awaitReport(int descriptor, Clock::time_point deadline, std::string& report) {
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return false;
        pollfd ready{descriptor, POLLIN, 0};
        if (::poll(&ready, 1, static_cast<int>(std::min<long>(left, 1000))) <= 0) continue;
        char block[4096];
        const ssize_t got = ::read(descriptor, block, sizeof block);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return true;
        if (report.size() < maxReport) report.append(block, static_cast<std::size_t>(got));
    }
}

void measure(Crash& crash) {
    struct stat info{};
    if (crash.path.empty() || ::stat(crash.path.c_str(), &info) != 0) {
        crash.path.clear();
        return;
    }
    crash.bytes = static_cast<std::uint64_t>(info.st_size);
    crash.diskBytes = static_cast<std::uint64_t>(info.st_blocks) * 512;
}

class Supervisor {
public:
    Supervisor(const Places& places, Settings settings, const Received& received)
        : places_(places), settings_(std::move(settings)), received_(received) {}

    int run() {
        // The worker gets as long as is allowed, and the supervisor a little longer.
        const auto deadline = Clock::now() + std::chrono::seconds(settings_.timeoutSeconds);
        describe();
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) return failed;
        Descriptor reading(ends[0]);
        Descriptor writing(ends[1]);
        const pid_t supervisor = ::getpid();
        const pid_t worker = ::fork();
        if (worker == 0) {
            reading.reset();
            // A worker without supervisor would go on for ever.
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (::getppid() != supervisor) ::_exit(failed);
            ::_exit(work(writing.get(), deadline));
        }
        writing.reset();
        ::close(STDIN_FILENO);
        if (worker < 0) crash_.problems.emplace_back("no memory for the receiver");
        if (worker > 0) supervise(worker, reading.get(), deadline);
        record();
        return done;
    }

private:
    void describe() {
        crashed_ = live::identifyCrashed(received_.pid);
        if (crashed_.name.empty()) crashed_.name = "process";
        const auto now = std::chrono::system_clock::now();
        crash_.time = fmt::format(
            "{}.{:09}Z", isoTime(now).substr(0, 19),
            std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count() %
                1'000'000'000);
        crash_.program = crashed_.name;
        crash_.executable = crashed_.executable;
        crash_.commandLine = crashed_.commandLine;
        crash_.pid = received_.pid;
        crash_.innerPid = received_.innerPid;
        crash_.uid = crashed_.uid;
        crash_.signal = received_.signal;
        crash_.signalName = signalWords(static_cast<std::uint32_t>(received_.signal)).name;
        NameParts parts;
        parts.pid = received_.pid;
        parts.process = fmt::format("{}.{}", crashed_.name, received_.pid);
        parts.unixSeconds = received_.time;
        fs::path name = defaultName(parts, *formatByName("core"), false);
        base_ = fs::path(settings_.folder) / name.stem();
    }

    int work(int report, Clock::time_point deadline) {
        Worker(settings_, crashed_, crash_, deadline).run(base_);
        const std::string text = crash_.json().dump(-1, ' ', false, Json::error_handler_t::replace);
        std::string_view rest = text;
        while (!rest.empty()) {
            const ssize_t count = ::write(report, rest.data(), rest.size());
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) return failed;
            rest.remove_prefix(static_cast<std::size_t>(count));
        }
        return done;
    }

    void supervise(pid_t worker, int report, Clock::time_point deadline) {
        std::string text;
        const bool ended = awaitReport(report, deadline + std::chrono::seconds(2), text);
        if (!ended) ::kill(worker, SIGKILL);
        int status = 0;
        while (::waitpid(worker, &status, 0) < 0 && errno == EINTR) {
        }
        const Json json = Json::parse(text, nullptr, false);
        auto known = json.is_discarded() ? std::nullopt : Crash::fromJson(json);
        if (known) {
            crash_ = *std::move(known);
            return;
        }
        crash_.problems.push_back(
            !ended ? fmt::format("the receiver was ended after {} s", settings_.timeoutSeconds)
            : WIFSIGNALED(status) ? fmt::format("the receiver died of signal {}", WTERMSIG(status))
                                  : "the receiver failed");
        removeTemporaries(settings_.folder, base_.filename().string() + ".");
        // It may have got as far as the dump.
        for (const Format& format : allFormats()) {
            const std::string path = base_.string() + std::string(format.extension);
            if (::access(path.c_str(), F_OK) != 0) continue;
            crash_.path = path;
            crash_.format = format.name;
        }
    }

    void record() {
        measure(crash_);
        // One after another: what is too much is decided on the whole folder.
        const Descriptor folder(
            ::open(settings_.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        lock(folder.get());
        const auto written =
            replaceFile(base_.string() + ".json",
                        crash_.json().dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
        if (!written) crash_.problems.push_back("not recorded: " + written.error().describe());
        enforceBudget(settings_.folder, settings_.keep, settings_.maxBytes);
        tellJournal(places_, journalLine(crash_));
    }

    /// Others hold it for moments only; better without it than never.
    static void lock(int folder) {
        const auto deadline = Clock::now() + std::chrono::seconds(10);
        while (folder >= 0 && ::flock(folder, LOCK_EX | LOCK_NB) != 0 && Clock::now() < deadline)
            ::poll(nullptr, 0, 5);
    }

    const Places& places_;
    Settings settings_;
    Received received_;
    live::CrashedProcess crashed_;
    Crash crash_;
    fs::path base_;
};

}  // namespace

int receive(const Places& places, const Received& received) {
    // Writing to somebody who has gone is an error like others here.
    std::signal(SIGPIPE, SIG_IGN);
    ::umask(077);
    auto settings = Settings::read(places.state());
    if (!settings) {
        tellJournal(places,
                    fmt::format("pid {} crashed (signal {}); nothing is kept: {}", received.pid,
                                received.signal, settings.error().describe()));
        return failed;
    }
    return Supervisor(places, *std::move(settings), received).run();
}

}  // namespace icecore::app::handler
