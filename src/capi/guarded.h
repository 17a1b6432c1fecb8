// From our Result to a C status: nothing that is thrown passes, and the message is left behind.
#pragma once

#include <icecore/icecore.h>

#include <cerrno>
#include <new>

#include "base/error.h"
#include "capi/last_error.h"

namespace icecore::capi {

constexpr icecore_status statusOf(Errc code) {
    switch (code) {
    case Errc::io: return ICECORE_IO;
    case Errc::not_found: return ICECORE_NOT_FOUND;
    case Errc::permission: return ICECORE_PERMISSION;
    case Errc::exists: return ICECORE_EXISTS;
    case Errc::truncated: return ICECORE_TRUNCATED;
    case Errc::malformed: return ICECORE_MALFORMED;
    case Errc::unsupported: return ICECORE_UNSUPPORTED;
    case Errc::limit: return ICECORE_LIMIT;
    case Errc::unreadable: return ICECORE_UNREADABLE;
    case Errc::target_gone: return ICECORE_TARGET_GONE;
    case Errc::busy: return ICECORE_BUSY;
    case Errc::cancelled: return ICECORE_CANCELLED;
    case Errc::mismatch: return ICECORE_MISMATCH;
    case Errc::usage: return ICECORE_USAGE;
    case Errc::internal: break;
    }
    return ICECORE_INTERNAL;
}

/// Runs `work` (a function that returns Result<void>) for a C caller.
template <class Work>
icecore_status guarded(Work&& work) noexcept {
    const int before = errno;
    try {
        const Result<void> result = work();
        if (result) {
            clearLastError();
            errno = before;
            return ICECORE_OK;
        }
        setLastError(result.error());
        return statusOf(result.error().code);
    } catch (const std::bad_alloc&) {
        setLastError(ENOMEM, "not enough memory");
        return ICECORE_LIMIT;
    } catch (...) {
        // Nothing of ours throws; what a library below might must not reach a C caller.
        setLastError(ENOTRECOVERABLE, "an unexpected exception");
        return ICECORE_INTERNAL;
    }
}

}  // namespace icecore::capi
