// What the program needs of the terminal and of signals; one implementation per system.
#pragma once

#include <cstdint>
#include <string>

namespace icecore::app {

/// Whether standard output or standard error is a terminal.
bool standardOutputIsTerminal();
bool standardErrorIsTerminal();

/// The host's name; empty when it has none.
std::string hostName();
/// "250131_235959": local time, as ProcDump puts it into names.
std::string timeStamp(std::int64_t unixSeconds);

/// A line for the system's log, from "procdump".
void systemLog(const std::string& line);

/// While it lives, SIGINT and SIGTERM (Ctrl-C on Windows) ask the work to stop instead of killing
/// the program, and a closed pipe is an error of writing instead of a signal. One at a time.
class SignalGuard {
public:
    SignalGuard();
    ~SignalGuard();
    SignalGuard(const SignalGuard&) = delete;
    SignalGuard& operator=(const SignalGuard&) = delete;
    /// Whether such a signal came.
    [[nodiscard]] static bool stopRequested();
};

/// Standard output's descriptor, set to pass bytes through unchanged.
int binaryStandardOutput();

}  // namespace icecore::app
