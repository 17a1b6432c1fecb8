// A connection with an X server that knows just what asking windows takes: a few requests of the
// core protocol (X Window System Protocol, X Version 11), spoken without a library.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "bytes/descriptor_posix.h"

namespace icecore::monitor {

/// "HOST:DISPLAY.SCREEN".
struct X11Display {
    std::string host;  ///< empty, or "unix": this machine
    unsigned number = 0, screen = 0;
};
/// Errc::usage for what is no display.
Result<X11Display> parseX11Display(std::string_view text);

/// The cookie of an Xauthority file (Xau library, struct xauth as written to disk: big-endian
/// family, then address, number, name, data, each behind its size) for this display; empty when it
/// has none. Nothing in it is trusted.
std::string findX11Cookie(std::string_view file, const X11Display& display);

class X11Connection {
public:
    using Window = std::uint32_t;
    using Atom = std::uint32_t;
    struct ClientMessage {
        Window window = 0;
        Atom type = 0;
        std::array<std::uint32_t, 5> data{};
    };

    /// `cookie` may be empty. Errors: nobody listens there, or we are not let in.
    static Result<std::unique_ptr<X11Connection>> open(const X11Display& display,
                                                       std::string_view cookie);

    [[nodiscard]] Window root() const { return root_; }
    /// 0 when nobody has used this name yet.
    Result<Atom> atom(std::string_view name);
    /// At most `words` units of four bytes; empty when the window has none, or is gone.
    Result<std::vector<std::byte>> property(Window window, Atom name, std::uint32_t words);
    /// Of a window that is gone: none.
    Result<std::vector<Window>> children(Window window);
    /// From now on messages that are sent to the root window (SubstructureNotify) are received.
    Result<void> listenToRoot();
    Result<void> send(Window destination, const ClientMessage& message);
    /// Those that have come since. Does not wait.
    Result<std::vector<ClientMessage>> received();

private:
    explicit X11Connection(Descriptor socket) : socket_(std::move(socket)) {}
    Result<void> greet(const X11Display& display, std::string_view cookie);
    Result<void> write(const std::vector<std::byte>& bytes);
    Result<std::vector<std::byte>> read(std::size_t size);
    /// The reply to the request just written: 32 bytes and what belongs to them; empty where the
    /// server answers with an error. Events that come before it are kept.
    Result<std::vector<std::byte>> reply();
    Result<std::vector<std::byte>> packet();
    void keep(const std::vector<std::byte>& event);

    Descriptor socket_;
    Window root_ = 0;
    std::uint16_t sequence_ = 0;
    std::vector<ClientMessage> messages_;
};

}  // namespace icecore::monitor
