#include "live/linux/log_stream.h"

#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "live/linux/memory_reader.h"

namespace icecore::live {

namespace {

constexpr std::uint64_t mostOutput = 65536;
constexpr std::size_t mostPieces = 64;

/// Reads from a process without allocating.
bool peek(pid_t process, std::uint64_t address, void* to, std::size_t size) noexcept {
    const iovec local{to, size};
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process
    const iovec remote{reinterpret_cast<void*>(address), size};
    return ::process_vm_readv(process, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(size);
}

bool leadsToLog(const sockaddr_un& address, std::size_t size) noexcept {
    if (size <= offsetof(sockaddr_un, sun_path) || address.sun_family != AF_UNIX) return false;
    const std::size_t room =
        std::min(size - offsetof(sockaddr_un, sun_path), sizeof address.sun_path);
    const std::string_view path(static_cast<const char*>(address.sun_path),
                                ::strnlen(static_cast<const char*>(address.sun_path), room));
    return path == "/dev/log" || path == "/run/systemd/journal/dev-log" ||
           path == "/run/systemd/journal/socket" || path == "/run/systemd/journal/syslog";
}

/// Whether the target's socket is connected with the log.
bool connectedWithLog(int pidfd, std::uint64_t descriptor) noexcept {
    if (pidfd < 0) return false;
    const long socket = ::syscall(SYS_pidfd_getfd, pidfd, static_cast<int>(descriptor), 0);
    if (socket < 0) return false;
    sockaddr_un peer{};
    socklen_t size = sizeof peer;
    const bool known =
        ::getpeername(static_cast<int>(socket), reinterpret_cast<sockaddr*>(&peer), &size) == 0;
    ::close(static_cast<int>(socket));
    return known && leadsToLog(peer, size);
}

bool addressedToLog(pid_t thread, std::uint64_t address, std::uint64_t size) noexcept {
    sockaddr_un name{};
    const auto known = static_cast<std::size_t>(std::min<std::uint64_t>(size, sizeof name));
    return address != 0 && peek(thread, address, &name, known) && leadsToLog(name, known);
}

/// Where the written bytes lie.
struct Pieces {
    std::array<iovec, mostPieces> piece{};
    std::size_t count = 0;
};
Pieces vectorAt(pid_t process, std::uint64_t address, std::uint64_t count) noexcept {
    Pieces pieces;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(count, mostPieces));
    if (peek(process, address, pieces.piece.data(), wanted * sizeof(iovec))) pieces.count = wanted;
    return pieces;
}

}  // namespace

bool leavesCall(pid_t thread) noexcept {
    // struct ptrace_syscall_info of linux/ptrace.h, since 5.3: its first byte says where it stands.
    constexpr std::uint8_t exit = 2;  // PTRACE_SYSCALL_INFO_EXIT
    std::array<std::uint8_t, 96> info{};
    return ::ptrace(PTRACE_GET_SYSCALL_INFO, thread, info.size(), info.data()) > 0 &&
           info[0] == exit;
}

bool writesToLog(pid_t thread, int pidfd, const native::RegisterSet& registers) noexcept {
    if (native::callResult(registers) <= 0) return false;
    const std::uint64_t descriptor = native::callArgument(registers, 0);
    switch (native::currentCall(registers)) {
    case SYS_write:
    case SYS_writev: return descriptor == STDERR_FILENO;
    case SYS_sendto:
        return native::callArgument(registers, 4) != 0
                   ? addressedToLog(thread, native::callArgument(registers, 4),
                                    native::callArgument(registers, 5))
                   : connectedWithLog(pidfd, descriptor);
    case SYS_sendmsg: {
        msghdr message{};
        if (!peek(thread, native::callArgument(registers, 1), &message, sizeof message))
            return false;
        return message.msg_name != nullptr
                   ? addressedToLog(thread, reinterpret_cast<std::uint64_t>(message.msg_name),
                                    message.msg_namelen)
                   : connectedWithLog(pidfd, descriptor);
    }
    default: return false;
    }
}

std::string readOutput(pid_t process, const native::RegisterSet& registers) {
    const long written = native::callResult(registers);
    if (written <= 0) return {};
    std::uint64_t left = std::min(static_cast<std::uint64_t>(written), mostOutput);
    const std::uint64_t second = native::callArgument(registers, 1);
    Pieces pieces;
    switch (native::currentCall(registers)) {
    case SYS_writev: pieces = vectorAt(process, second, native::callArgument(registers, 2)); break;
    case SYS_sendmsg: {
        msghdr message{};
        if (peek(process, second, &message, sizeof message))
            pieces = vectorAt(process, reinterpret_cast<std::uint64_t>(message.msg_iov),
                              message.msg_iovlen);
        break;
    }
    default:
        // NOLINTNEXTLINE(performance-no-int-to-ptr): an address of another process
        pieces.piece[0] = {reinterpret_cast<void*>(second), static_cast<std::size_t>(left)};
        pieces.count = 1;
    }
    std::string text;
    const MemoryReader reader(process);
    for (std::size_t i = 0; i < pieces.count && left > 0; ++i) {
        std::string part(
            static_cast<std::size_t>(std::min<std::uint64_t>(left, pieces.piece[i].iov_len)), '\0');
        const std::size_t got =
            reader.read(reinterpret_cast<std::uint64_t>(pieces.piece[i].iov_base),
                        std::as_writable_bytes(std::span(part)));
        text.append(part, 0, got);
        if (got < part.size()) break;
        left -= got;
    }
    return text;
}

}  // namespace icecore::live
