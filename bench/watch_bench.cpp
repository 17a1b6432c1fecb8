// What watching costs: processor time of the watcher while nothing happens, and time of the target
// for what is seen of it. Beside gdb attached to the same process, and ProcDump where it is
// installed.
#include <fmt/format.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "kit/icecore.h"
#include "kit/report.h"
#include "kit/run.h"
#include "support/paths.h"

namespace icecore::bench {

namespace {

/// A program that runs beside the benchmark, silently, and is ended with it.
class Beside {
public:
    explicit Beside(const Command& command) {
        pid_ = ::fork();
        if (pid_ != 0) return;
        const int nowhere = ::open("/dev/null", O_RDWR);
        if (nowhere < 0) ::_exit(127);
        for (const int standard : {0, 1, 2})
            ::dup2(nowhere, standard);
        std::vector<char*> arguments;
        for (const std::string& word : command)
            arguments.push_back(const_cast<char*>(word.c_str()));
        arguments.push_back(nullptr);
        ::execvp(arguments[0], arguments.data());
        ::_exit(127);
    }
    ~Beside() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGINT);
        for (int i = 0; i < 200; ++i) {
            if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    Beside(const Beside&) = delete;
    Beside& operator=(const Beside&) = delete;
    [[nodiscard]] pid_t pid() const { return pid_; }

private:
    pid_t pid_ = -1;
};

/// Nanoseconds on a processor, of all threads of these processes: schedstat.
double processorSeconds(const std::vector<pid_t>& processes) {
    double nanoseconds = 0;
    for (const pid_t process : processes) {
        std::error_code ignored;
        for (const auto& thread :
             std::filesystem::directory_iterator(fmt::format("/proc/{}/task", process), ignored)) {
            const std::string text = tests::readText(thread.path() / "schedstat");
            const auto fields = splitBlanks(text);
            if (!fields.empty())
                nanoseconds += static_cast<double>(parseDecimal(fields[0]).value_or(0));
        }
    }
    return nanoseconds / 1e9;
}

/// A process and those it has started, less the victim.
std::vector<pid_t> family(pid_t process, pid_t tracer) {
    std::vector<pid_t> members{process};
    for (const pid_t child : tests::childrenOf(process))
        members.push_back(child);
    if (tracer > 0 && std::ranges::find(members, tracer) == members.end())
        members.push_back(tracer);
    return members;
}

pid_t tracerOf(const tests::Victim& victim) {
    return static_cast<pid_t>(
        parseDecimal(tests::statusValue(victim.pid(), "TracerPid")).value_or(0));
}

class Watching {
public:
    explicit Watching(Report& report) : report_(report), seconds_(report.quick() ? 1 : 10) {}

    /// Share of one processor while nothing happens.
    void idle(const std::string& what, const std::vector<std::string>& options, bool traces,
              const std::vector<std::string>& procdump) {
        tests::Victim victim("events");
        if (!isReady(victim)) return;
        (void)ask(victim, "park 20");
        Row row{.what = "processor share, " + what,
                .unit = Unit::ratio,
                .target = Target{Target::Kind::valueBelow, 0.005}};
        Command ours{tests::program(), "dump", std::to_string(victim.pid()), "-o", "/dev/null"};
        ours.insert(ours.end(), options.begin(), options.end());
        for (int i = 0; i < report_.runs(); ++i)
            row.ours.add(share(victim, ours, traces));
        if (installed("procdump")) {
            row.peer = "procdump";
            Command theirs{"procdump"};
            theirs.insert(theirs.end(), procdump.begin(), procdump.end());
            theirs.push_back(std::to_string(victim.pid()));
            for (int i = 0; i < report_.runs(); ++i)
                row.theirs.add(share(victim, theirs, false));
        } else if (traces && installed("gdb")) {
            row.peer = versionOf("gdb");
            for (int i = 0; i < report_.runs(); ++i)
                row.theirs.add(share(victim, gdb(victim, {"catch throw", "continue"}), true));
        }
        report_.add(std::move(row));
    }

    /// One C++ throw that is seen and not dumped.
    void throws() {
        const int count = report_.quick() ? 20 : 300;
        tests::Victim victim("events");
        if (!isReady(victim)) return;
        Row row{.what = "a throw that is seen",
                .peer = installed("gdb") ? versionOf("gdb") : std::string(),
                .target = Target{Target::Kind::peerAtLeast, 1}};
        const std::string order = fmt::format("throw-many {}", count);
        for (int i = 0; i < report_.runs(); ++i) {
            {
                const Beside watch({tests::program(), "dump", std::to_string(victim.pid()),
                                    "--exception", "first", "--show", "--count", "1000000"});
                if (!traced(victim)) return;
                row.ours.add(timeOf(victim, order) / count);
            }
            if (!untraced(victim)) return;
            if (row.peer.empty()) continue;
            {
                const Beside watch(
                    gdb(victim, {"catch throw", "commands\nsilent\ncontinue\nend", "continue"}));
                if (!traced(victim)) return;
                row.theirs.add(timeOf(victim, order) / count);
            }
            if (!untraced(victim)) return;
        }
        row.remark =
            fmt::format("without a watch {}", text(timeOf(victim, order) / count, Unit::seconds));
        report_.add(std::move(row));
    }

    /// One signal that nobody has asked for, passed on to its handler.
    void signals() {
        const int count = report_.quick() ? 20 : 1000;
        tests::Victim victim("events");
        if (!isReady(victim)) return;
        (void)ask(victim, "handle 10");
        Row row{.what = "a signal that passes",
                .peer = installed("gdb") ? versionOf("gdb") : std::string(),
                .target = Target{Target::Kind::peerAtLeast, 1}};
        const std::string order = fmt::format("raise-many {}", count);
        for (int i = 0; i < report_.runs(); ++i) {
            {
                const Beside watch({tests::program(), "dump", std::to_string(victim.pid()),
                                    "--exception", "second"});
                if (!traced(victim)) return;
                row.ours.add(timeOf(victim, order) / count);
            }
            if (!untraced(victim)) return;
            if (row.peer.empty()) continue;
            {
                const Beside watch(gdb(victim, {"handle SIGUSR1 nostop noprint pass", "continue"}));
                if (!traced(victim)) return;
                row.theirs.add(timeOf(victim, order) / count);
            }
            if (!untraced(victim)) return;
        }
        row.remark =
            fmt::format("without a watch {}", text(timeOf(victim, order) / count, Unit::seconds));
        report_.add(std::move(row));
    }

private:
    static Command gdb(const tests::Victim& victim, const std::vector<std::string>& orders) {
        // Orders of several lines come from a file.
        static int number = 0;
        const std::string script =
            fmt::format("{}/icecore-bench-{}-{}.gdb",
                        std::filesystem::temp_directory_path().string(), ::getpid(), ++number);
        std::ofstream file(script);
        for (const std::string& order : orders)
            file << order << '\n';
        return {"gdb", "-q", "-nx", "-p", std::to_string(victim.pid()), "-x", script};
    }

    bool isReady(tests::Victim& victim) {
        if (victim.line() == "ready") return true;
        report_.failure("the victim does not start");
        return false;
    }
    bool traced(const tests::Victim& victim) {
        if (!tests::eventually([&] { return tracerOf(victim) != 0; })) {
            report_.failure("nobody traces the victim");
            return false;
        }
        // Whoever attaches stops it for a while to set itself up.
        std::this_thread::sleep_for(std::chrono::seconds(2));
        return true;
    }
    bool untraced(const tests::Victim& victim) {
        if (tests::eventually([&] { return tracerOf(victim) == 0; })) return true;
        report_.failure("the victim is not let go");
        return false;
    }

    double share(const tests::Victim& victim, const Command& command, bool traces) {
        double used = 0;
        {
            const Beside watch(command);
            if (traces && !traced(victim)) return 0;
            std::this_thread::sleep_for(std::chrono::seconds(2));
            const auto all = family(watch.pid(), tracerOf(victim));
            const double before = processorSeconds(all);
            std::this_thread::sleep_for(std::chrono::seconds(seconds_));
            used = processorSeconds(all) - before;
        }
        (void)untraced(victim);
        return used / seconds_;
    }

    static double timeOf(tests::Victim& victim, const std::string& order) {
        const auto began = std::chrono::steady_clock::now();
        (void)ask(victim, order);
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    }

    Report& report_;
    int seconds_;
};

int measure(Report& report) {
    Watching watching(report);
    report.note("processor time of all processes of the watcher, at the default polling of 1 s");
    if (report.wants("levels"))
        watching.idle("levels", {"--memory", "100000", "--cpu", "99", "--threads", "5000"}, false,
                      {"-m", "100000", "-c", "99", "-tc", "5000"});
    if (report.wants("events"))
        watching.idle("events", {"--exception", "first", "--load"}, true, {"-sig", "11"});
    if (report.wants("hangs")) watching.idle("hangs", {"--hung", "5"}, false, {"-m", "100000"});
    if (report.wants("throws")) watching.throws();
    if (report.wants("signals")) watching.signals();
    return report.finish();
}

}  // namespace

}  // namespace icecore::bench

int main(int argc, char** argv) {
    icecore::bench::Report report("watch", "What watching a process costs: icecore, gdb, ProcDump",
                                  argc, argv);
    return icecore::bench::measure(report);
}
