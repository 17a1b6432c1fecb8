// The structures of minidumps as field tables, for describing and building them as text.
#pragma once

#include <span>

#include "formats/dump_text.h"

namespace icecore::minidump {

/// All of them; names are Microsoft's or Breakpad's, so that people find them in their
/// documentation.
std::span<const StructSpec> textSpecs();
/// The part of them that text_specs_system.cpp has.
std::span<const StructSpec> systemTextSpecs();
/// By name; the name must be one of the table's.
const StructSpec& textSpec(std::string_view name);

/// Of all fields together; an open last one counts as 0.
constexpr std::uint64_t bytesIn(std::span<const FieldSpec> fields) {
    std::uint64_t size = 0;
    for (const FieldSpec& field : fields)
        size += field.size;
    return size;
}

}  // namespace icecore::minidump
