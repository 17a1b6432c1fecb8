// What a Windows exception says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analysis/crash_case.h"

namespace icecore {

struct WindowsException {
    std::string name;  ///< "STATUS_ACCESS_VIOLATION"; "0xe1234567" when nobody knows it
    std::string text;  ///< "access violation: writing 0x0"
    std::string kind;  ///< more of it, for a bucket: "STACK_COOKIE_CHECK_FAILURE"; may be empty
    /// What the thread did, in a sentence: "threw a C++ exception of type FormatError".
    std::string happening;
    std::vector<Finding> findings;
};
WindowsException readWindowsException(const Exception& exception);
/// The same, with what the memory and the modules' files tell: a C++ exception's type.
WindowsException readWindowsException(const CrashCase& crash, const Exception& exception);

/// A fault of the processor in the words of Linux' signals, which the diagnosis of faults speaks;
/// nothing when the program raised the exception itself.
std::optional<Exception> asSignal(const Process& process, const Exception& exception);

/// The types of a thrown C++ object, as MSVC's ABI describes them: the most derived first, then
/// those it can be caught as. Empty when the description is neither in memory nor in a file.
std::vector<std::string> thrownTypes(const CrashCase& crash, const Exception& exception);

}  // namespace icecore
