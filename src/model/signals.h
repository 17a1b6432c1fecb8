// Linux' signals in words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/process.h"

namespace icecore {

enum class SignalNature : std::uint8_t {
    fault,    ///< raised by what the thread itself executed
    abort,    ///< the program ended itself
    request,  ///< asked for from outside; says nothing about a defect
    limit,    ///< a resource limit or policy was hit
};

struct SignalWords {
    std::string name;       ///< "SIGSEGV"; "signal 77" when unknown
    std::string_view text;  ///< "segmentation fault"
    SignalNature nature = SignalNature::request;
};
SignalWords signalWords(std::uint32_t signal);
/// Of a name, with or without "SIG", in any case, or of a number from 1 to 64; nothing otherwise.
std::optional<std::uint32_t> signalByName(std::string_view name);

struct SignalCodeWords {
    std::string_view name;  ///< "SEGV_MAPERR"; empty when unknown
    std::string_view text;  ///< "address not mapped"
};
/// `si_code` of a signal.
SignalCodeWords signalCodeWords(std::uint32_t signal, std::int32_t code);

/// Whether a process sent it (kill, tgkill, sigqueue), in contrast to the kernel.
bool sentByProcess(const Exception& exception);

namespace signals {
enum : std::uint32_t { ill = 4, trap = 5, abrt = 6, bus = 7, fpe = 8, segv = 11, sys = 31 };
}
namespace signal_codes {
enum : std::int32_t {
    kernel = 0x80,
    user = 0,
    tkill = -6,
    segvMapError = 1,
    segvAccessError = 2,
    segvBoundError = 3,
    segvKeyError = 4,
    busAlignment = 1,
    busAddress = 2,
    busObject = 3,
    busMemoryRequired = 4,
    busMemoryOptional = 5,
    fpeIntegerDivide = 1,
};
}

}  // namespace icecore
