// What the C functions leave behind for their caller when they fail.
#pragma once

#include "base/error.h"

namespace icecore::capi {

/// The errno value that says the same as `code`.
int errnoOf(Errc code);

/// This thread's last error: `error`'s text (cut to what fits), and errno.
void setLastError(const Error& error) noexcept;
void setLastError(int errnoValue, std::string_view message) noexcept;
void clearLastError() noexcept;
/// Its text, "" after a success; valid until this thread's next call.
const char* lastErrorText() noexcept;

}  // namespace icecore::capi
