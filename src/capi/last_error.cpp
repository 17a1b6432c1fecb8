#include "capi/last_error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

namespace icecore::capi {

namespace {

// A plain array: it needs no constructor, no destructor and no memory in the moment of need.
thread_local std::array<char, 1024> lastMessage{};

}  // namespace

int errnoOf(Errc code) {
    switch (code) {
    case Errc::io: return EIO;
    case Errc::not_found:
    case Errc::target_gone: return ESRCH;
    case Errc::permission: return EACCES;
    case Errc::exists: return EEXIST;
    case Errc::truncated:
    case Errc::malformed:
    case Errc::mismatch: return EBADMSG;
    case Errc::unsupported: return ENOTSUP;
    case Errc::limit: return EOVERFLOW;
    case Errc::unreadable: return EFAULT;
    case Errc::busy: return EBUSY;
    case Errc::cancelled: return ECANCELED;
    case Errc::usage: return EINVAL;
    case Errc::internal: break;
    }
    return ENOTRECOVERABLE;
}

void setLastError(int errnoValue, std::string_view message) noexcept {
    const std::size_t length = message.copy(lastMessage.data(), lastMessage.size() - 1);
    lastMessage[length] = '\0';
    errno = errnoValue;
}

void setLastError(const Error& error) noexcept {
    try {
        setLastError(errnoOf(error.code), error.describe());
    } catch (const std::bad_alloc&) {
        setLastError(errnoOf(error.code), toString(error.code));
    }
}

void clearLastError() noexcept {
    lastMessage[0] = '\0';
}

const char* lastErrorText() noexcept {
    return lastMessage.data();
}

}  // namespace icecore::capi
