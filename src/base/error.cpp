#include "base/error.h"

#include <array>
#include <cerrno>
#include <system_error>

namespace icecore {

std::string_view toString(Errc code) {
    switch (code) {
    case Errc::io: return "io";
    case Errc::not_found: return "not found";
    case Errc::permission: return "permission";
    case Errc::exists: return "exists";
    case Errc::truncated: return "truncated";
    case Errc::malformed: return "malformed";
    case Errc::unsupported: return "unsupported";
    case Errc::limit: return "limit";
    case Errc::unreadable: return "unreadable";
    case Errc::target_gone: return "target gone";
    case Errc::busy: return "busy";
    case Errc::cancelled: return "cancelled";
    case Errc::mismatch: return "mismatch";
    case Errc::usage: return "usage";
    case Errc::internal: return "internal";
    }
    return "unknown";
}

std::string Error::describe() const {
    std::string text = message;
    if (!where.empty()) text += " (" + where + ")";
    // Causes are built by us, one per layer; the bound only guards against a cycle by mistake.
    const Error* inner = cause.get();
    for (int depth = 0; inner != nullptr && depth < 8; ++depth, inner = inner->cause.get()) {
        text += ": " + inner->message;
        if (!inner->where.empty()) text += " (" + inner->where + ")";
    }
    return text;
}

std::unexpected<Error> failBecause(Error cause, std::string message, std::string where) {
    const Errc code = cause.code;
    return std::unexpected(Error{code, std::move(message), std::move(where),
                                 std::make_shared<const Error>(std::move(cause))});
}

std::unexpected<Error> failErrno(int errnoValue, std::string message, std::string where) {
    Errc code = Errc::io;
    switch (errnoValue) {
    case ENOENT: code = Errc::not_found; break;
    case ESRCH: code = Errc::target_gone; break;
    case EACCES:
    case EPERM: code = Errc::permission; break;
    case EEXIST: code = Errc::exists; break;
    case EBUSY: code = Errc::busy; break;
    case EFAULT: code = Errc::unreadable; break;
    default: break;
    }
    message += ": " + std::generic_category().message(errnoValue);
    return fail(code, std::move(message), std::move(where));
}

}  // namespace icecore
