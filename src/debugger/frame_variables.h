// The variables of the frame a person stands in, and where their values are.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "debugger/type_text.h"

namespace icecore::debugger {

struct FrameVariables {
    ModuleTypes module;
    Frame physical;  ///< the frame itself, or the one that the inlined call stands in
    std::optional<std::uint64_t> callerSp;
    bool innermost = false;  ///< no frame was unwound: vector registers are the thread's own
    std::vector<Variable> variables;
};
/// Of one frame of a stack of the current context. `not_found` when there is no such frame, or no
/// file that tells about its variables.
Result<FrameVariables> frameVariables(const Session& session, const NamedStack& stack,
                                      std::size_t index);
/// Of the current frame.
Result<FrameVariables> frameVariables(const Session& session);

/// Where a variable is, and what is there.
struct VariableValue {
    std::optional<std::uint64_t> address;  ///< when all of it lies in memory
    std::string where;                     ///< "@rdi", "00000000`0012fe20", "<unavailable>"
    bool optimizedOut = false;  ///< the compiler keeps it nowhere at this place of the code
    /// From its first byte on, as far as they are known; empty when none is.
    std::vector<std::byte> bytes;
};
VariableValue locateVariable(const Session& session, const FrameVariables& frame,
                             const Variable& variable);
/// Its value in the words of `dv`, "<optimized out>" or "<value unavailable>".
std::string variableText(const Session& session, const FrameVariables& frame,
                         const Variable& variable);

}  // namespace icecore::debugger
