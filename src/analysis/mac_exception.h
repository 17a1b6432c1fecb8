// Exceptions of macOS in words, and as the signals that they become.
#pragma once

#include <optional>
#include <string>

#include "model/process.h"

namespace icecore {

struct MacException {
    std::string name;  ///< "EXC_BAD_ACCESS"
    std::string text;  ///< "invalid memory access: KERN_INVALID_ADDRESS"
    std::string kind;  ///< "KERN_INVALID_ADDRESS"; empty when the code has no name
};
/// Of an exception type and its code (mach/exception_types.h, mach/kern_return.h), which Breakpad
/// and Crashpad store as the exception's code and flags.
MacException readMacException(const Exception& exception);

/// The same as a signal, where a fault of the processor is behind it.
std::optional<Exception> macSignal(const Exception& exception);

}  // namespace icecore
