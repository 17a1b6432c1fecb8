// Why a program ended itself.
#pragma once

#include <optional>

#include "analysis/crash_case.h"

namespace icecore {

struct AbortReason {
    std::string kind;       ///< for the bucket: "ASSERT", "HEAP_CORRUPTION", "UNCAUGHT_EXCEPTION"…
    std::string happening;  ///< "failed an assertion"
    std::string message;    ///< what the program said, foreign text; may be empty
    std::vector<Finding> findings;
};

/// From the frames of the thread that aborted, and from what the C and C++ libraries left in
/// memory.
AbortReason findAbortReason(const CrashCase& crash, const Thread& thread, const NamedStack& stack);

/// A C++ exception on its way.
struct ThrownException {
    std::string type;  ///< demangled
    std::string what;  ///< foreign text; only of standard exceptions that carry one
    std::uint64_t object = 0, typeInfo = 0;
    bool typeIsSymbol = false;  ///< the type_info is a module's symbol: no chance hit
};
/// Looks for the header of a C++ exception (Itanium C++ ABI) that the thread's stack points to.
std::optional<ThrownException> findThrownException(const CrashCase& crash, const Thread& thread);

}  // namespace icecore
