// A picture of an address space.
#pragma once

#include <string>

#include "analysis/analysis.h"

namespace icecore {

/// An inline SVG: the regions in ascending order, in rows, wide gaps folded; a region's width grows
/// with the logarithm of its size. Marks where the verdict's thread stood (pc, sp) and what it
/// accessed. A dump without a list of regions shows its modules, stacks and captured memory; empty
/// when it has none of them.
std::string addressMapSvg(const Process& process, const Analysis& analysis);

}  // namespace icecore
