// The structures of minidumps as field tables, for describing and building them as text.
#pragma once

#include <span>

#include "formats/dump_text.h"

namespace icecore::minidump {

/// All of them; names are Microsoft's or Breakpad's, so that people find them in their
/// documentation.
std::span<const StructSpec> textSpecs();
/// By name; the name must be one of the table's.
const StructSpec& textSpec(std::string_view name);

}  // namespace icecore::minidump
