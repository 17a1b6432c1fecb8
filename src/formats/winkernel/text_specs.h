// The structures of kernel dumps as field tables, for describing and building them as text.
#pragma once

#include <span>

#include "formats/dump_text.h"

namespace icecore::winkernel {

/// All of them; names are Microsoft's where there are any.
std::span<const StructSpec> textSpecs();
/// By name; the name must be one of the table's.
const StructSpec& textSpec(std::string_view name);

}  // namespace icecore::winkernel
