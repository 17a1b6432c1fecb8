// The structures of an ELF core, field by field, as describe names them and build takes them.
// Layouts: bytes/elf_layout.h and core_layout.h, which name their sources.
#pragma once

#include <span>

#include "formats/dump_text.h"

namespace icecore::elfcore {

std::span<const StructSpec> coreSpecs();

/// `name` must be one of them.
const StructSpec& coreSpec(std::string_view name);

}  // namespace icecore::elfcore
