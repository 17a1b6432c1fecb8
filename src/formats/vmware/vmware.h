// Memory of VMware's machines: .vmem with .vmss or .vmsn beside it, and those that have it in them.
#pragma once

#include "formats/format.h"

namespace icecore {

/// Read only. Recognises the checkpoint, and the memory's file where a checkpoint of the same name
/// lies beside it; either one opens both. A .vmem alone is a raw image.
Format vmwareFormat();

}  // namespace icecore
