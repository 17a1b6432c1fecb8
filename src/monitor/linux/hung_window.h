// Whether a window of a process answers: the question that window managers ask (_NET_WM_PING,
// Extended Window Manager Hints).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "monitor/linux/x11_connection.h"

namespace icecore::monitor {

class HungWindows {
public:
    /// Of the display that the process' environment names, else ours. Errc::unsupported or
    /// permission: it has none, or that does not let us in.
    static Result<std::unique_ptr<HungWindows>> open(pid_t process);

    /// Asks every window of the process that says it can be asked, and tells of one that owes an
    /// answer for `limit`; nothing while there is none. To be called again and again.
    Result<std::optional<std::string>> look(std::chrono::nanoseconds now,
                                            std::chrono::nanoseconds limit);

private:
    using Window = X11Connection::Window;
    struct Question {
        std::uint32_t stamp = 0;
        std::chrono::nanoseconds asked{};
        bool answered = false;
    };

    HungWindows(pid_t process, std::unique_ptr<X11Connection> connection)
        : process_(process), connection_(std::move(connection)) {}
    Result<bool> findAtoms();
    Result<std::vector<Window>> windows();
    Result<bool> canBeAsked(Window window);
    Result<std::string> title(Window window);

    pid_t process_;
    std::unique_ptr<X11Connection> connection_;
    X11Connection::Atom protocols_ = 0, ping_ = 0, owner_ = 0, clientList_ = 0, name_ = 0;
    std::uint32_t lastStamp_ = 0;
    std::map<Window, Question> asked_;
};

}  // namespace icecore::monitor
