#include "monitor/linux/x11_connection.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "bytes/endian.h"

namespace icecore::monitor {

namespace {

constexpr int patience = 3000;  ///< milliseconds that a server may take to answer
constexpr std::size_t mostReply = std::size_t{1} << 20;
constexpr std::size_t mostMessages = 10'000;
constexpr std::string_view cookieName = "MIT-MAGIC-COOKIE-1";

// Requests: X protocol, appendix B.
enum Request : std::uint8_t {
    changeWindowAttributes = 2,
    queryTree = 15,
    internAtom = 16,
    getProperty = 20,
    sendEvent = 25,
};
constexpr std::uint8_t clientMessage = 33, genericEvent = 35;
constexpr std::uint32_t eventMaskAttribute = 1U << 11, substructureNotify = 1U << 19;

/// A request under construction, little-endian as we say in our greeting.
class Message {
public:
    Message(Request code, std::uint8_t detail) {
        u8(code);
        u8(detail);
        u16(0);
    }
    void u8(std::uint8_t value) { bytes_.push_back(std::byte{value}); }
    void u16(std::uint16_t value) { appendInteger(bytes_, value); }
    void u32(std::uint32_t value) { appendInteger(bytes_, value); }
    void text(std::string_view value) {
        for (const char c : value)
            bytes_.push_back(static_cast<std::byte>(c));
        while (bytes_.size() % 4 != 0)
            bytes_.push_back(std::byte{0});
    }
    /// Its length, in units of four bytes, stands in its third and fourth byte.
    std::vector<std::byte> take() {
        const auto units = bytes_.size() / 4;
        bytes_[2] = static_cast<std::byte>(units & 0xff);
        bytes_[3] = static_cast<std::byte>(units >> 8 & 0xff);
        return std::move(bytes_);
    }

private:
    std::vector<std::byte> bytes_;
};

std::uint32_t u32At(const std::vector<std::byte>& bytes, std::size_t at) {
    return at + 4 <= bytes.size() ? loadInteger<std::uint32_t>(bytes.data() + at) : 0;
}
std::uint16_t u16At(const std::vector<std::byte>& bytes, std::size_t at) {
    return at + 2 <= bytes.size() ? loadInteger<std::uint16_t>(bytes.data() + at)
                                  : std::uint16_t{0};
}

Descriptor connectHere(const std::string& path, bool abstract) {
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t skip = abstract ? 1 : 0;
    if (path.size() + skip >= sizeof address.sun_path) return {};
    std::memcpy(address.sun_path + skip, path.data(), path.size());
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + skip + path.size());
    if (!socket.valid() ||
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0)
        return {};
    return socket;
}

Descriptor connectThere(const std::string& host, unsigned port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return {};
    Descriptor socket;
    for (const addrinfo* each = found; each != nullptr && !socket.valid(); each = each->ai_next) {
        Descriptor one(::socket(each->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        if (one.valid() && ::connect(one.get(), each->ai_addr, each->ai_addrlen) == 0)
            socket = std::move(one);
    }
    ::freeaddrinfo(found);
    return socket;
}

}  // namespace

Result<X11Display> parseX11Display(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    const auto wrong = [&] {
        return fail(Errc::usage, "is no display of X (HOST:NUMBER)", std::string(text));
    };
    if (colon == std::string_view::npos) return wrong();
    X11Display display;
    display.host = text.substr(0, colon);
    if (display.host.starts_with("unix/") || display.host.starts_with("/")) display.host.clear();
    const std::string_view numbers = text.substr(colon + 1);
    const std::size_t dot = numbers.find('.');
    const auto number = parseDecimal(numbers.substr(0, dot));
    const auto screen = dot == std::string_view::npos ? std::optional<std::uint64_t>(0)
                                                      : parseDecimal(numbers.substr(dot + 1));
    constexpr std::uint64_t most = 59535;  // 6000 + it is a port
    if (!number || *number > most || !screen || *screen > 255) return wrong();
    display.number = static_cast<unsigned>(*number);
    display.screen = static_cast<unsigned>(*screen);
    return display;
}

std::string findX11Cookie(std::string_view file, const X11Display& display) {
    // Entries for this machine or any are as good as those for the host's name, which may have
    // changed since: a wrong cookie is only refused.
    const std::string number = std::to_string(display.number);
    std::size_t at = 0;
    const auto u16 = [&]() -> std::optional<std::size_t> {
        if (file.size() - at < 2) return std::nullopt;
        const auto high = static_cast<unsigned char>(file[at]);
        const auto low = static_cast<unsigned char>(file[at + 1]);
        at += 2;
        return static_cast<std::size_t>(high << 8 | low);
    };
    const auto counted = [&]() -> std::optional<std::string_view> {
        const auto size = u16();
        if (!size || *size > file.size() - at) return std::nullopt;
        const std::string_view value = file.substr(at, *size);
        at += *size;
        return value;
    };
    while (at < file.size()) {
        const auto family = u16();
        const auto address = counted();
        const auto which = counted();
        const auto name = counted();
        const auto data = counted();
        if (!family || !address || !which || !name || !data) return {};
        if (*name == cookieName && (which->empty() || *which == number)) return std::string(*data);
    }
    return {};
}

Result<std::unique_ptr<X11Connection>> X11Connection::open(const X11Display& display,
                                                           std::string_view cookie) {
    Descriptor socket;
    if (display.host.empty() || display.host == "unix") {
        const std::string path = fmt::format("/tmp/.X11-unix/X{}", display.number);
        socket = connectHere(path, true);
        if (!socket.valid()) socket = connectHere(path, false);
    } else {
        socket = connectThere(display.host, 6000 + display.number);
    }
    if (!socket.valid())
        return fail(Errc::unsupported, "no X server answers there",
                    fmt::format("display {}:{}", display.host, display.number));
    std::unique_ptr<X11Connection> connection(new X11Connection(std::move(socket)));
    TRY(connection->greet(display, cookie));
    return connection;
}

Result<void> X11Connection::greet(const X11Display& display, std::string_view cookie) {
    std::vector<std::byte> hello;
    const std::string_view name = cookie.empty() ? std::string_view() : cookieName;
    hello.push_back(std::byte{'l'});  // little-endian
    hello.push_back(std::byte{0});
    for (const std::size_t value :
         {std::size_t{11}, std::size_t{0}, name.size(), cookie.size(), std::size_t{0}})
        appendInteger(hello, static_cast<std::uint16_t>(value));
    for (const std::string_view part : {name, cookie}) {
        for (const char c : part)
            hello.push_back(static_cast<std::byte>(c));
        while (hello.size() % 4 != 0)
            hello.push_back(std::byte{0});
    }
    TRY(write(hello));
    ASSIGN_OR_RETURN(const auto head, read(8));
    ASSIGN_OR_RETURN(const auto body, read(std::size_t{u16At(head, 6)} * 4));
    if (head[0] != std::byte{1}) {
        const auto size = std::min(std::to_integer<std::size_t>(head[1]), body.size());
        return fail(Errc::permission,
                    "the X server lets us not in: " +
                        printable({reinterpret_cast<const char*>(body.data()), size}));
    }
    // Connection setup: 32 bytes, the vendor's name, 8 for each pixmap format, then the screens,
    // each of 40 bytes, its depths of 8 and their visuals of 24.
    const std::size_t vendor = u16At(body, 16);
    const auto byteAt = [&](std::size_t at) {
        return at < body.size() ? std::to_integer<std::size_t>(body[at]) : 0;
    };
    std::size_t at = 32 + (vendor + 3) / 4 * 4 + byteAt(21) * 8;
    for (unsigned screen = 0; screen < display.screen; ++screen) {
        std::size_t next = at + 40;
        for (std::size_t depth = byteAt(at + 39); depth > 0 && next < body.size(); --depth)
            next += 8 + std::size_t{u16At(body, next + 2)} * 24;
        at = next;
    }
    root_ = u32At(body, at);
    if (root_ == 0)
        return fail(Errc::malformed, "the X server has no such screen",
                    std::to_string(display.screen));
    return {};
}

Result<void> X11Connection::write(const std::vector<std::byte>& bytes) {
    ++sequence_;
    for (std::size_t at = 0; at < bytes.size();) {
        pollfd ready{socket_.get(), POLLOUT, 0};
        if (::poll(&ready, 1, patience) <= 0) return fail(Errc::io, "the X server does not listen");
        const ssize_t sent =
            ::send(socket_.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return failErrno(errno, "the X server has gone");
        at += static_cast<std::size_t>(sent);
    }
    return {};
}

Result<std::vector<std::byte>> X11Connection::read(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t at = 0; at < size;) {
        pollfd ready{socket_.get(), POLLIN, 0};
        if (::poll(&ready, 1, patience) <= 0) return fail(Errc::io, "the X server does not answer");
        const ssize_t got = ::recv(socket_.get(), bytes.data() + at, size - at, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return fail(Errc::io, "the X server has gone");
        at += static_cast<std::size_t>(got);
    }
    return bytes;
}

/// A reply, an error or an event.
Result<std::vector<std::byte>> X11Connection::packet() {
    ASSIGN_OR_RETURN(auto bytes, read(32));
    const auto kind = std::to_integer<std::uint8_t>(bytes[0]) & 0x7f;
    if (kind == 1 || kind == genericEvent) {
        const std::size_t more = std::size_t{u32At(bytes, 4)} * 4;
        if (more > mostReply) return fail(Errc::limit, "the X server's answer is too long");
        ASSIGN_OR_RETURN(const auto rest, read(more));
        bytes.insert(bytes.end(), rest.begin(), rest.end());
    }
    return bytes;
}

void X11Connection::keep(const std::vector<std::byte>& event) {
    // The highest bit says that somebody has sent it, as all of these are.
    if ((std::to_integer<std::uint8_t>(event[0]) & 0x7f) != clientMessage ||
        event[1] != std::byte{32} || messages_.size() >= mostMessages)
        return;
    ClientMessage message{u32At(event, 4), u32At(event, 8), {}};
    for (std::size_t i = 0; i < message.data.size(); ++i)
        message.data[i] = u32At(event, 12 + 4 * i);
    messages_.push_back(message);
}

Result<std::vector<std::byte>> X11Connection::reply() {
    for (std::size_t others = 0; others < mostMessages; ++others) {
        ASSIGN_OR_RETURN(auto bytes, packet());
        const auto kind = std::to_integer<std::uint8_t>(bytes[0]);
        if (kind > 1) {
            keep(bytes);
            continue;
        }
        // Errors of requests that have no reply (a window that is gone) come whenever they like.
        // The greeting was no request, and has been counted as one.
        if (u16At(bytes, 2) != static_cast<std::uint16_t>(sequence_ - 1)) continue;
        if (kind == 0) bytes.clear();
        return bytes;
    }
    return fail(Errc::limit, "the X server sends everything but an answer");
}

Result<X11Connection::Atom> X11Connection::atom(std::string_view name) {
    constexpr std::uint8_t onlyIfExists = 1;
    Message request(internAtom, onlyIfExists);
    request.u16(static_cast<std::uint16_t>(name.size()));
    request.u16(0);
    request.text(name);
    TRY(write(request.take()));
    ASSIGN_OR_RETURN(const auto bytes, reply());
    return u32At(bytes, 8);
}

Result<std::vector<std::byte>> X11Connection::property(Window window, Atom name,
                                                       std::uint32_t words) {
    Message request(getProperty, 0);
    request.u32(window);
    request.u32(name);
    request.u32(0);  // of any type
    request.u32(0);  // from its beginning
    request.u32(words);
    TRY(write(request.take()));
    ASSIGN_OR_RETURN(auto bytes, reply());
    if (bytes.empty()) return bytes;
    const std::size_t size =
        std::size_t{u32At(bytes, 16)} * (std::to_integer<std::size_t>(bytes[1]) / 8);
    if (size > bytes.size() - 32) return fail(Errc::malformed, "the X server cannot count");
    return std::vector<std::byte>(bytes.begin() + 32,
                                  bytes.begin() + 32 + static_cast<std::ptrdiff_t>(size));
}

Result<std::vector<X11Connection::Window>> X11Connection::children(Window window) {
    Message request(queryTree, 0);
    request.u32(window);
    TRY(write(request.take()));
    ASSIGN_OR_RETURN(const auto bytes, reply());
    std::vector<Window> found;
    for (std::size_t i = 0; !bytes.empty() && i < u16At(bytes, 16); ++i) {
        if (36 + 4 * i > bytes.size()) return fail(Errc::malformed, "the X server cannot count");
        found.push_back(u32At(bytes, 32 + 4 * i));
    }
    return found;
}

Result<void> X11Connection::listenToRoot() {
    Message request(changeWindowAttributes, 0);
    request.u32(root_);
    request.u32(eventMaskAttribute);
    request.u32(substructureNotify);
    return write(request.take());
}

Result<void> X11Connection::send(Window destination, const ClientMessage& message) {
    Message request(sendEvent, 0);
    request.u32(destination);
    request.u32(0);  // to whoever made the window
    request.u8(clientMessage);
    request.u8(32);
    request.u16(0);
    request.u32(message.window);
    request.u32(message.type);
    for (const std::uint32_t value : message.data)
        request.u32(value);
    return write(request.take());
}

Result<std::vector<X11Connection::ClientMessage>> X11Connection::received() {
    for (std::size_t count = 0; count < mostMessages; ++count) {
        pollfd ready{socket_.get(), POLLIN, 0};
        if (::poll(&ready, 1, 0) <= 0) break;
        ASSIGN_OR_RETURN(const auto bytes, packet());
        if (std::to_integer<std::uint8_t>(bytes[0]) > 1) keep(bytes);
    }
    return std::exchange(messages_, {});
}

}  // namespace icecore::monitor
