#include "live/ram/qmp_client_posix.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace icecore::ram {

namespace {

using nlohmann::json;

/// An answer is some kilobytes.
constexpr std::size_t maxLine = std::size_t{16} << 20;
constexpr int greetingSeconds = 10;
constexpr std::string_view howToStart = "start QEMU with -qmp unix:SOCKET,server=on,wait=off";

}  // namespace

Result<QmpClient> QmpClient::connect(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty()) return fail(Errc::usage, "no socket is named: give qmp:SOCKET");
    if (path.size() >= sizeof address.sun_path)
        return fail(Errc::usage,
                    "is longer than a socket's path may be (" +
                        std::to_string(sizeof address.sun_path - 1) + " bytes): link it elsewhere",
                    path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket.valid()) return failErrno(errno, "cannot make a socket", path);
    if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        const int problem = errno;
        struct stat status{};
        if (::stat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode))
            return fail(Errc::usage, "is no socket: " + std::string(howToStart), path);
        return failErrno(problem,
                         problem == ECONNREFUSED
                             ? "nobody listens at QEMU's monitor (has the guest ended?)"
                             : "cannot connect to QEMU's monitor",
                         path);
    }
    QmpClient client(std::move(socket), path);
    const auto greeting = client.line(greetingSeconds);
    if (!greeting) return std::unexpected(greeting.error());
    const json said = json::parse(*greeting, nullptr, false);
    if (!said.is_object() || !said.contains("QMP"))
        return fail(Errc::malformed, "is no QMP monitor: " + std::string(howToStart), path);
    TRY(client.run("qmp_capabilities"));
    return client;
}

Result<json> QmpClient::run(const json& command, int descriptor) {
    TRY(send(command, descriptor));
    return answer();
}

Result<void> QmpClient::send(const json& command, int descriptor) {
    const std::string text = command.dump() + "\n";
    std::size_t done = 0;
    while (done < text.size()) {
        iovec piece{const_cast<char*>(text.data()) + done, text.size() - done};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        if (descriptor >= 0 && done == 0) {
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            cmsghdr* const header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int));
            std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
        }
        const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return failErrno(errno, "cannot speak to QEMU", name_);
        done += static_cast<std::size_t>(sent);
    }
    return {};
}

Result<json> QmpClient::answer(int timeoutSeconds) {
    for (;;) {
        ASSIGN_OR_RETURN(const std::string text, line(timeoutSeconds));
        json said = json::parse(text, nullptr, false);
        if (!said.is_object()) return fail(Errc::malformed, "QEMU's answer is no JSON", name_);
        if (said.contains("return")) return said["return"];
        if (!said.contains("error")) continue;  // an event
        const json& error = said["error"];
        const bool told = error.is_object() && error.contains("desc") && error["desc"].is_string();
        return fail(Errc::io,
                    "QEMU says: " + (told ? error["desc"].get<std::string>() : error.dump()),
                    name_);
    }
}

Result<std::string> QmpClient::line(int timeoutSeconds) {
    for (;;) {
        if (const std::size_t end = text_.find('\n'); end != std::string::npos) {
            std::string first = text_.substr(0, end);
            text_.erase(0, end + 1);
            return first;
        }
        if (text_.size() > maxLine) return fail(Errc::limit, "QEMU's answer never ends", name_);
        pollfd wait{socket_.get(), POLLIN, 0};
        const int ready = ::poll(&wait, 1, timeoutSeconds < 0 ? -1 : timeoutSeconds * 1000);
        if (ready < 0 && errno == EINTR) continue;
        if (ready == 0)
            return fail(Errc::busy, "no word from the monitor: another client has it?", name_);
        std::array<char, 4096> buffer{};
        const ssize_t got = ::read(socket_.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failErrno(errno, "cannot hear QEMU", name_);
        if (got == 0) return fail(Errc::target_gone, "QEMU has closed the connection", name_);
        text_.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

}  // namespace icecore::ram
