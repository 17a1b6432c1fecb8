// Virtual memory of x64 Windows out of physical memory.
#pragma once

#include <memory>

#include "memory/address_space.h"

namespace icecore::winkernel {

/// What the page tables at `root` (CR3) map, with four levels. Pages in transition, which Windows
/// has taken from a process and not yet given to another, count as present: their content is whole.
std::shared_ptr<const AddressSpace> translateX64(std::shared_ptr<const AddressSpace> physical,
                                                 std::uint64_t root);

}  // namespace icecore::winkernel
