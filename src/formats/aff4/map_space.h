// Memory that an AFF4 map puts together out of streams.
#pragma once

#include "formats/aff4/container.h"
#include "memory/address_space.h"

namespace icecore::aff4 {

/// The memory of the map `urn`, or of the stream itself where it is no map. Streams that cannot be
/// opened are told in `issues`, and what they hold is absent.
Result<std::shared_ptr<const AddressSpace>> openMap(std::shared_ptr<const Container> container,
                                                    const std::string& urn, Issues& issues);

/// A packed entry of a map: 28 bytes, at mapOffset + 8 the length and so on.
struct MapEntry {
    Le64 mapOffset, length, targetOffset;
    Le32 target;  ///< line of idx
};
static_assert(sizeof(MapEntry) == 28);

}  // namespace icecore::aff4
