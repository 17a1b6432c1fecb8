#include "app/connection_linux.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <string_view>

namespace icecore::app {

namespace {

struct AddressesDeleter {
    void operator()(addrinfo* addresses) const { ::freeaddrinfo(addresses); }
};

}  // namespace

Result<Connection> connectTo(const std::string& target) {
    constexpr std::string_view separator = "://";
    const std::size_t scheme = target.find(separator);
    const std::size_t begin = scheme == std::string::npos ? 0 : scheme + separator.size();
    const std::size_t colon = target.rfind(':');
    if (colon == std::string::npos || colon <= begin || colon + 1 == target.size())
        return fail(Errc::usage, "give " + target.substr(0, begin) + "HOST:PORT", target);
    Connection connection;
    connection.host = target.substr(begin, colon - begin);
    const std::string port = target.substr(colon + 1);
    if (connection.host.size() > 2 && connection.host.front() == '[' &&
        connection.host.back() == ']')
        connection.host = connection.host.substr(1, connection.host.size() - 2);
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int problem = ::getaddrinfo(connection.host.c_str(), port.c_str(), &hints, &found);
    if (problem != 0) return fail(Errc::not_found, ::gai_strerror(problem), target);
    const std::unique_ptr<addrinfo, AddressesDeleter> addresses(found);
    int error = 0;
    for (const addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
        connection.socket =
            Descriptor(::socket(one->ai_family, one->ai_socktype | SOCK_CLOEXEC, 0));
        if (connection.socket.valid() &&
            ::connect(connection.socket.get(), one->ai_addr, one->ai_addrlen) == 0)
            return connection;
        error = errno;
    }
    return failErrno(error, "cannot connect", target);
}

}  // namespace icecore::app
