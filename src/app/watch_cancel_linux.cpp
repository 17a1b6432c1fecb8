// Requests come through abstract sockets, "@ProcDump-<PID>.<OUR PID>": they need no folder, and are
// gone with us however we end. The kernel says who is at the other end.
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "app/watch_cancel.h"
#include "base/text.h"
#include "bytes/descriptor_posix.h"

namespace icecore::app {

namespace {

/// Enough for what anybody watches; a list of somebody else's making cannot keep us busy for ever.
constexpr std::size_t mostWatches = 1000;
constexpr int answerMilliseconds = 2000;

std::string namePrefix(std::uint64_t pid) {
    return fmt::format("ProcDump-{}.", pid);
}

struct Address {
    sockaddr_un name{};
    socklen_t size = 0;
    explicit Address(std::string_view text) {
        name.sun_family = AF_UNIX;
        const std::size_t count = std::min(text.size(), sizeof name.sun_path - 1);
        std::memcpy(name.sun_path + 1, text.data(), count);
        size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + count);
    }
    [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }
};

/// Whether the other end is the same user's, or root's.
bool trusted(int socket) {
    ucred other{};
    socklen_t size = sizeof other;
    return ::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &other, &size) == 0 &&
           (other.uid == ::geteuid() || other.uid == 0);
}

/// Whether this watch has heard us.
bool cancelOne(const std::string& name) {
    const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const Address address(name);
    if (!socket.valid() || ::connect(socket.get(), address.get(), address.size) != 0) return false;
    // Root may end everybody's.
    if (::geteuid() != 0 && !trusted(socket.get())) return false;
    pollfd answer{socket.get(), POLLIN, 0};
    char heard = 0;
    return ::poll(&answer, 1, answerMilliseconds) > 0 && ::read(socket.get(), &heard, 1) == 1;
}

}  // namespace

struct WatchCancel::State {
    std::vector<Descriptor> sockets;
    std::set<std::uint64_t> pids;
    bool requested = false;
};

WatchCancel::WatchCancel() : state_(std::make_unique<State>()) {}
WatchCancel::~WatchCancel() = default;

void WatchCancel::listen(std::uint64_t pid) {
    if (!state_->pids.insert(pid).second) return;
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const Address address(namePrefix(pid) + std::to_string(::getpid()));
    constexpr int waiting = 8;
    if (socket.valid() && ::bind(socket.get(), address.get(), address.size) == 0 &&
        ::listen(socket.get(), waiting) == 0)
        state_->sockets.push_back(std::move(socket));
}

bool WatchCancel::requested() {
    for (const Descriptor& socket : state_->sockets) {
        const Descriptor caller(::accept4(socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!caller.valid() || !trusted(caller.get())) continue;
        (void)::send(caller.get(), "k", 1, MSG_NOSIGNAL);
        state_->requested = true;
    }
    return state_->requested;
}

Result<std::size_t> cancelWatches(std::uint64_t pid) {
    std::ifstream list("/proc/net/unix");
    if (!list) return failErrno(errno, "cannot be read", "/proc/net/unix");
    const std::string prefix = "@" + namePrefix(pid);
    std::set<std::string> names;
    for (std::string line; std::getline(list, line) && names.size() < mostWatches;) {
        const auto words = splitBlanks(line);
        if (!words.empty() && words.back().starts_with(prefix))
            names.emplace(words.back().substr(1));
    }
    return static_cast<std::size_t>(std::ranges::count_if(names, cancelOne));
}

}  // namespace icecore::app
