// Types and variables by the names that people type.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "debugger/type_text.h"

namespace icecore::debugger {

/// What a name stands for: a type, or a variable and its address.
struct NamedType {
    ModuleTypes module;
    TypeId type = 0;
    bool variable = false;                 ///< the name is that of a variable, `type` its type
    std::optional<std::uint64_t> address;  ///< of the variable
    std::string name;                      ///< "crash!ice::Thing"
};

/// The type or global variable of that name, "MODULE!NAME" or "NAME" alone: then every module is
/// looked through, that of the current frame first. `not_found` says what was missing.
Result<NamedType> findNamedType(const Session& session, std::string_view text);

}  // namespace icecore::debugger
