// JSON as icecore prints it.
#pragma once

#include <nlohmann/json.hpp>

#include "base/issue.h"

namespace icecore {

/// Keeps the order in which members are added, as people read them.
using Json = nlohmann::ordered_json;

/// [{"severity","message","where"}, …]
Json issuesJson(const Issues& issues);

}  // namespace icecore
