// How a watch is asked to end from outside: what the event "ProcDump-<PID>" is on Windows.
#pragma once

#include <cstdint>
#include <memory>

#include "base/error.h"

namespace icecore::app {

/// Open to such requests, about one process or several, while it lives.
class WatchCancel {
public:
    WatchCancel();
    ~WatchCancel();
    WatchCancel(const WatchCancel&) = delete;
    WatchCancel& operator=(const WatchCancel&) = delete;

    /// Whoever cancels the watches of this process means us, too. Where that cannot be had, only
    /// this way to end is missing.
    void listen(std::uint64_t pid);
    /// Whether somebody has asked: the same user, or root. Once true it stays so. Does not wait.
    [[nodiscard]] bool requested();

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Ends every watch of this process, icecore's and procdump's, as Ctrl-C would; how many there
/// were. Another user's are left alone. Errors: the system does not tell who watches.
Result<std::size_t> cancelWatches(std::uint64_t pid);

}  // namespace icecore::app
