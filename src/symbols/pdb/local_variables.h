// The variables of one function, out of its symbol records.
#pragma once

#include <cstdint>
#include <vector>

#include "bytes/byte_view.h"
#include "symbols/pdb/address_map.h"
#include "symbols/type_source.h"

namespace icecore::pdb {

/// Where to look: a function, and the scope in it that is asked for.
struct VariableScope {
    ByteView symbols;            ///< the object file's records
    std::uint64_t function = 0;  ///< offset of the function's record
    std::uint64_t scope = 0;     ///< of its own or of an inlined call's in it
    std::uint32_t address = 0;   ///< linked address of the code that runs
    std::uint16_t machine = 0;   ///< IMAGE_FILE_MACHINE_…
};

/// The variables of the scope and of those of its blocks that contain the address, the innermost
/// block's first, in the order of the records otherwise. Inlined calls inside are left out: they
/// are scopes of their own. Places of variables are addresses of the image as it was linked.
std::vector<Variable> scopeVariables(const VariableScope& where, const AddressMap& addresses);

}  // namespace icecore::pdb
