// Levels of a Linux process, from files of /proc that stay open.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "live/linux/proc.h"
#include "live/linux/target.h"
#include "monitor/fact_source.h"
#include "monitor/linux/hung_process.h"
#include "monitor/linux/hung_window.h"

namespace icecore::monitor {

namespace {

using std::chrono::nanoseconds;

/// A file of /proc/PID that is read again and again: opened once, so that it can never become
/// another process' (reading it then fails with ESRCH).
class ProcFile {
public:
    ProcFile(std::uint64_t pid, std::string_view name)
        : name_(fmt::format("/proc/{}/{}", pid, name)),
          file_(::open(name_.c_str(), O_RDONLY | O_CLOEXEC)) {}

    /// Its text, valid until the next call.
    Result<std::string_view> read() {
        if (!file_.valid()) return fail(Errc::target_gone, "the process has ended", name_);
        const ssize_t got = ::pread(file_.get(), buffer_.data(), buffer_.size(), 0);
        if (got > 0) return std::string_view(buffer_.data(), static_cast<std::size_t>(got));
        if (got == 0 || errno == ESRCH)
            return fail(Errc::target_gone, "the process has ended", name_);
        return failErrno(errno, "cannot be read", name_);
    }

private:
    std::string name_;
    Descriptor file_;
    std::array<char, 8192> buffer_{};
};

class ProcFacts final : public FactSource {
public:
    explicit ProcFacts(live::Target target)
        : target_(std::move(target)),
          stat_(pid(), "stat"),
          status_(pid(), "status"),
          ticks_(std::max(1L, ::sysconf(_SC_CLK_TCK))),
          hungProcess_(target_.pid, target_.pidfd.get()) {}

    [[nodiscard]] std::uint64_t pid() const override {
        return static_cast<std::uint64_t>(target_.pid);
    }

    Result<Facts> read(const WantedFacts& wanted) override {
        Facts facts;
        ASSIGN_OR_RETURN(const std::string_view text, stat_.read());
        const auto stat = live::parseStat(text);
        if (!stat) return fail(Errc::malformed, "cannot be understood", "/proc/PID/stat");
        // A leader that has ended before its threads looks like a zombie, too; its pidfd does not.
        if (stat->dead() && ended()) return gone();
        if (wanted.cpu) {
            const std::uint64_t used = stat->userTicks + stat->kernelTicks;
            facts.cpuTime =
                nanoseconds(used * (1'000'000'000 / static_cast<std::uint64_t>(ticks_)));
        }
        if (wanted.commit || wanted.threads) TRY(readStatus(facts));
        if (wanted.handles) facts.handles = handles();
        return facts;
    }

    [[nodiscard]] std::uint32_t processors() const override {
        return static_cast<std::uint32_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
    }

    [[nodiscard]] nanoseconds now() const override {
        return std::chrono::steady_clock::now().time_since_epoch();
    }

    Result<std::optional<double>> counter(const CounterPath& path) override {
        if (counters_ == nullptr) counters_ = openCounters(pid(), target_.stat.name);
        return counters_->read(path);
    }

    Result<std::optional<std::string>> hung(const HungWindow& trigger) override {
        using enum HungWindow::WithoutDisplay;
        if (windows_ == nullptr && !noWindows_) {
            auto opened = HungWindows::open(target_.pid);
            if (!opened && trigger.withoutDisplay == fails)
                return std::unexpected(std::move(opened).error());
            noWindows_ = !opened;
            if (opened) windows_ = *std::move(opened);
        }
        if (windows_ != nullptr) return windows_->look(now(), trigger.limit);
        if (trigger.withoutDisplay == neverHangs) return std::optional<std::string>();
        return hungProcess_.look(now(), trigger.limit);
    }
    Result<std::optional<std::string>> hung(const HungProcess& trigger) override {
        return hungProcess_.look(now(), trigger.limit);
    }

    void sleep(nanoseconds time, const Cancelled& cancelled) override {
        // In slices, since a cancellation (a flag set by a signal handler) wakes nobody.
        constexpr nanoseconds slice = std::chrono::milliseconds(100);
        const nanoseconds until = now() + time;
        for (nanoseconds left = time; left > nanoseconds::zero(); left = until - now()) {
            if (cancelled && cancelled()) return;
            const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::min(left, slice));
            pollfd descriptor{target_.pidfd.get(), POLLIN, 0};
            const int ready = ::poll(&descriptor, 1, static_cast<int>(wait.count()));
            if (ready > 0) return;
        }
    }

    void kill() override {
        if (target_.pidfd.valid())
            ::syscall(SYS_pidfd_send_signal, target_.pidfd.get(), SIGKILL, nullptr, 0);
        else if (target_.same())
            ::kill(target_.pid, SIGKILL);
    }

private:
    [[nodiscard]] std::unexpected<Error> gone() const {
        return fail(Errc::target_gone, "the process has ended", target_.describe());
    }

    [[nodiscard]] bool ended() const {
        if (!target_.pidfd.valid()) return true;
        pollfd descriptor{target_.pidfd.get(), POLLIN, 0};
        return ::poll(&descriptor, 1, 0) > 0;
    }

    Result<void> readStatus(Facts& facts) {
        ASSIGN_OR_RETURN(const std::string_view text, status_.read());
        facts.threads = live::statusNumber(text, "Threads");
        if (const auto resident = live::statusNumber(text, "VmRSS"))
            facts.commitBytes = (*resident + live::statusNumber(text, "VmSwap").value_or(0)) * 1024;
        return {};
    }

    /// Since Linux 6.2 the size of /proc/PID/fd is the number of descriptors; before it is 0.
    [[nodiscard]] std::optional<std::uint64_t> handles() const {
        const std::string directory = live::procPath(target_.pid, "fd");
        struct stat info{};
        if (::stat(directory.c_str(), &info) != 0) return std::nullopt;
        if (info.st_size > 0) return static_cast<std::uint64_t>(info.st_size);
        return live::numbersIn(directory).size();
    }

    live::Target target_;
    ProcFile stat_, status_;
    long ticks_;
    std::unique_ptr<CounterSource> counters_;  ///< once one is asked for
    std::unique_ptr<HungWindows> windows_;     ///< the same
    bool noWindows_ = false;
    HungProcessWatch hungProcess_;
};

}  // namespace

Result<std::unique_ptr<FactSource>> openFactSource(std::uint64_t pid) {
    ASSIGN_OR_RETURN(auto target, live::identify(pid));
    std::unique_ptr<FactSource> source = std::make_unique<ProcFacts>(std::move(target));
    // What was opened belongs to the process that was pinned.
    TRY(source->read({}));
    return source;
}

}  // namespace icecore::monitor
