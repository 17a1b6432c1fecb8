// Room in a file for what is known only later.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace icecore {

/// What a Sink is besides where a writer that goes back to patch can be continued: the room for its
/// patches has to be left as it is then, and not to become zero again.
class ReservingSink {
public:
    virtual ~ReservingSink() = default;
    ReservingSink() = default;
    ReservingSink(const ReservingSink&) = delete;
    ReservingSink& operator=(const ReservingSink&) = delete;

    /// As Sink::zeros, except that bytes which are there already (of a file that is continued) are
    /// neither compared nor changed. All of them are to be patched.
    [[nodiscard]] virtual Result<void> reserve(std::uint64_t count) = 0;
};

}  // namespace icecore
