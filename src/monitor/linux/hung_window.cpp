#include "monitor/linux/hung_window.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/text.h"
#include "bytes/endian.h"
#include "live/linux/proc.h"

namespace icecore::monitor {

namespace {

constexpr std::size_t mostWindows = 4096;
constexpr X11Connection::Atom wmName = 39;  // predefined: X protocol, appendix B

/// A variable of the process' environment, else of ours.
std::string variable(const std::vector<std::string>& environment, std::string_view name) {
    for (const std::string& entry : environment) {
        if (entry.starts_with(name) && entry.size() > name.size() && entry[name.size()] == '=')
            return entry.substr(name.size() + 1);
    }
    const char* ours = std::getenv(std::string(name).c_str());
    return ours != nullptr ? ours : "";
}

std::vector<std::uint32_t> numbers(const std::vector<std::byte>& bytes) {
    std::vector<std::uint32_t> all;
    for (std::size_t at = 0; at + 4 <= bytes.size(); at += 4)
        all.push_back(loadInteger<std::uint32_t>(bytes.data() + at));
    return all;
}

}  // namespace

Result<std::unique_ptr<HungWindows>> HungWindows::open(pid_t process) {
    const auto environment =
        live::splitNul(live::readProcOrEmpty(live::procPath(process, "environ")));
    const std::string where = variable(environment, "DISPLAY");
    if (where.empty())
        return fail(Errc::unsupported,
                    "it has no display (DISPLAY), so it has no window that could hang");
    ASSIGN_OR_RETURN(const X11Display display, parseX11Display(where));
    std::string authority = variable(environment, "XAUTHORITY");
    if (authority.empty()) authority = variable(environment, "HOME") + "/.Xauthority";
    const std::string cookie = findX11Cookie(live::readProcOrEmpty(authority), display);
    ASSIGN_OR_RETURN(auto connection, X11Connection::open(display, cookie));
    TRY(connection->listenToRoot());
    return std::unique_ptr<HungWindows>(new HungWindows(process, std::move(connection)));
}

/// Atoms come into being when the first program uses them.
Result<bool> HungWindows::findAtoms() {
    const std::pair<std::string_view, X11Connection::Atom*> wanted[] = {
        {"WM_PROTOCOLS", &protocols_},
        {"_NET_WM_PING", &ping_},
        {"_NET_WM_PID", &owner_},
        {"_NET_CLIENT_LIST", &clientList_},
        {"_NET_WM_NAME", &name_}};
    for (const auto& [name, atom] : wanted) {
        if (*atom == 0) {
            ASSIGN_OR_RETURN(*atom, connection_->atom(name));
        }
    }
    return protocols_ != 0 && ping_ != 0 && owner_ != 0;
}

/// The top-level windows of the process: those the window manager lists, and those in the first
/// two levels below the root (a window manager puts windows into frames of its own).
Result<std::vector<HungWindows::Window>> HungWindows::windows() {
    std::vector<Window> candidates;
    if (clientList_ != 0) {
        ASSIGN_OR_RETURN(const auto list,
                         connection_->property(connection_->root(), clientList_, mostWindows));
        candidates = numbers(list);
    }
    ASSIGN_OR_RETURN(const auto tops, connection_->children(connection_->root()));
    for (const Window top : tops) {
        if (candidates.size() >= mostWindows) break;
        candidates.push_back(top);
        ASSIGN_OR_RETURN(const auto inner, connection_->children(top));
        candidates.insert(candidates.end(), inner.begin(), inner.end());
    }
    std::ranges::sort(candidates);
    candidates.erase(std::ranges::unique(candidates).begin(), candidates.end());
    if (candidates.size() > mostWindows) candidates.resize(mostWindows);
    std::vector<Window> ours;
    for (const Window window : candidates) {
        ASSIGN_OR_RETURN(const auto owner, connection_->property(window, owner_, 1));
        const auto pid = numbers(owner);
        if (!pid.empty() && pid.front() == static_cast<std::uint32_t>(process_))
            ours.push_back(window);
    }
    return ours;
}

Result<bool> HungWindows::canBeAsked(Window window) {
    constexpr std::uint32_t most = 64;
    ASSIGN_OR_RETURN(const auto bytes, connection_->property(window, protocols_, most));
    const auto known = numbers(bytes);
    return std::ranges::find(known, ping_) != known.end();
}

Result<std::string> HungWindows::title(Window window) {
    constexpr std::uint32_t most = 64;
    for (const X11Connection::Atom atom : {name_, wmName}) {
        if (atom == 0) continue;
        ASSIGN_OR_RETURN(const auto bytes, connection_->property(window, atom, most));
        if (!bytes.empty())
            return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    return std::string();
}

Result<std::optional<std::string>> HungWindows::look(std::chrono::nanoseconds now,
                                                     std::chrono::nanoseconds limit) {
    ASSIGN_OR_RETURN(const auto messages, connection_->received());
    for (const X11Connection::ClientMessage& message : messages) {
        if (message.type != protocols_ || message.data[0] != ping_) continue;
        const auto question = asked_.find(message.data[2]);
        if (question != asked_.end() && question->second.stamp == message.data[1])
            question->second.answered = true;
    }
    ASSIGN_OR_RETURN(const bool known, findAtoms());
    if (!known) return std::nullopt;
    ASSIGN_OR_RETURN(const auto windows, this->windows());
    std::erase_if(asked_, [&](const auto& entry) {
        return !std::ranges::binary_search(windows, entry.first);
    });
    std::optional<std::string> hung;
    for (const Window window : windows) {
        const auto before = asked_.find(window);
        if (before != asked_.end() && !before->second.answered) {
            const auto owed = now - before->second.asked;
            if (owed < limit) continue;
            ASSIGN_OR_RETURN(const std::string name, title(window));
            hung = fmt::format("window {} \"{}\" has not answered for {:.1f} s",
                               hex(std::uint64_t{window}), printable(name),
                               std::chrono::duration<double>(owed).count());
            continue;
        }
        ASSIGN_OR_RETURN(const bool asks, canBeAsked(window));
        if (!asks) continue;
        const Question question{++lastStamp_, now, false};
        TRY(connection_->send(window, {window, protocols_, {ping_, question.stamp, window, 0, 0}}));
        asked_[window] = question;
    }
    return hung;
}

}  // namespace icecore::monitor
