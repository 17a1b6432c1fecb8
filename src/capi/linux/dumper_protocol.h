// Between a process that dumps itself and the program that does it: packets of fixed size.
#pragma once

#include <array>
#include <type_traits>

#include "capi/write_dump.h"

namespace icecore::capi {

/// The dumper's end of a SOCK_SEQPACKET pair: it gets a DumpRequest and sends a DumperAnswer.
constexpr int dumperSocket = 3;
/// What it writes to; the request's own descriptor number is the caller's.
constexpr int dumperOutput = 4;

struct DumperAnswer {
    bool done = false;
    DumpOutcome outcome;  ///< when it is done
    Errc code = Errc::internal;
    std::array<char, 1000> message{};
};
static_assert(std::is_trivially_copyable_v<DumperAnswer>);
/// Before its answer it may send questions of the callback, each answered by one CallbackAnswer.
static_assert(sizeof(CallbackQuestion) != sizeof(DumperAnswer));
static_assert(std::is_trivially_copyable_v<DumpRequest>);

}  // namespace icecore::capi
