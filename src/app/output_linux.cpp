// Outputs that go over the network.
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "app/output.h"
#include "bytes/descriptor_posix.h"

namespace icecore::app {

namespace {

class TcpSink final : public Sink {
public:
    TcpSink(Descriptor socket, const std::string& name)
        : socket_(std::move(socket)), inner_(descriptorSink(socket_.get(), name)), name_(name) {}
    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override {
        TRY(inner_->write(bytes));
        position_ = inner_->position();
        return {};
    }
    [[nodiscard]] Result<void> zeros(std::uint64_t count) override {
        TRY(inner_->zeros(count));
        position_ = inner_->position();
        return {};
    }
    [[nodiscard]] Result<void> finish() override {
        TRY(inner_->finish());
        // The other side sees the end only when all has arrived; its answer, if any, is not ours.
        if (::shutdown(socket_.get(), SHUT_WR) != 0)
            return failErrno(errno, "cannot end the connection", name_);
        return {};
    }

private:
    Descriptor socket_;
    std::unique_ptr<Sink> inner_;
    std::string name_;
};

struct AddressesDeleter {
    void operator()(addrinfo* addresses) const { ::freeaddrinfo(addresses); }
};

}  // namespace

Result<std::unique_ptr<Sink>> connectTcp(const std::string& target) {
    std::string_view rest = target;
    rest.remove_prefix(std::string_view("tcp://").size());
    const std::size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == rest.size())
        return fail(Errc::usage, "give tcp://HOST:PORT", target);
    std::string host(rest.substr(0, colon));
    const std::string port(rest.substr(colon + 1));
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int problem = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
    if (problem != 0) return fail(Errc::not_found, ::gai_strerror(problem), target);
    const std::unique_ptr<addrinfo, AddressesDeleter> addresses(found);
    int error = 0;
    for (const addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
        Descriptor socket(::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, 0));
        if (socket.valid() && ::connect(socket.get(), one->ai_addr, one->ai_addrlen) == 0)
            return std::make_unique<TcpSink>(std::move(socket), target);
        error = errno;
    }
    return failErrno(error, "cannot connect", target);
}

}  // namespace icecore::app
