#include <signal.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <fstream>

#include "app/terminal.h"

namespace icecore::app {

namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free, "set in a signal handler");

struct Handled {
    int signal;
    struct sigaction before;
};
std::array<Handled, 4> handled = {{{SIGINT, {}}, {SIGTERM, {}}, {SIGHUP, {}}, {SIGPIPE, {}}}};

extern "C" void requestStop(int) {
    stop.store(true);
}

}  // namespace

bool standardOutputIsTerminal() {
    return ::isatty(STDOUT_FILENO) == 1;
}
bool standardErrorIsTerminal() {
    return ::isatty(STDERR_FILENO) == 1;
}

std::string hostName() {
    std::array<char, 256> name{};
    if (::gethostname(name.data(), name.size() - 1) != 0) return {};
    return name.data();
}

std::string timeStamp(std::int64_t unixSeconds) {
    const time_t seconds = unixSeconds;
    struct tm local{};
    std::array<char, 32> text{};
    if (::localtime_r(&seconds, &local) == nullptr) return {};
    (void)::strftime(text.data(), text.size(), "%y%m%d_%H%M%S", &local);
    return text.data();
}

void systemLog(const std::string& line) {
    ::openlog("procdump", LOG_PID, LOG_USER);
    ::syslog(LOG_INFO, "%s", line.c_str());
    ::closelog();
}

SignalGuard::SignalGuard() {
    stop.store(false);
    for (Handled& item : handled) {
        struct sigaction action{};
        action.sa_handler = item.signal == SIGPIPE ? SIG_IGN : requestStop;
        // No SA_RESTART: a write into a full pipe must come back to see that it should stop.
        (void)::sigaction(item.signal, nullptr, &item.before);
        // What was ignored (nohup) stays ignored.
        if (item.signal != SIGPIPE && item.before.sa_handler == SIG_IGN) continue;
        (void)::sigaction(item.signal, &action, nullptr);
    }
}

SignalGuard::~SignalGuard() {
    for (const Handled& item : handled)
        (void)::sigaction(item.signal, &item.before, nullptr);
}

bool SignalGuard::stopRequested() {
    return stop.load();
}

int binaryStandardOutput() {
    return STDOUT_FILENO;
}

}  // namespace icecore::app
