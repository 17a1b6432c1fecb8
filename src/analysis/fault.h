// What a faulting instruction did.
#pragma once

#include <string>
#include <vector>

#include "analysis/crash_case.h"

namespace icecore {

struct FaultDiagnosis {
    Fault fault;
    std::string kind;       ///< for the bucket: "NULL_POINTER_WRITE"
    std::string happening;  ///< "wrote 4 bytes to 0x0 through a null pointer"
    std::vector<Finding> findings;
    /// The program counter is not code: the caller jumped astray and is to blame.
    bool strayJump = false;
    bool stackExhausted = false;
    /// Of an exhausted stack: the function whose recursion filled it (placeText); else empty.
    std::string recursionPlace;
};

/// Examines a fault (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP) of the thread with `registers`.
FaultDiagnosis diagnoseFault(const CrashCase& crash, const Exception& exception,
                             const Registers& registers, const NamedStack& stack);

}  // namespace icecore
