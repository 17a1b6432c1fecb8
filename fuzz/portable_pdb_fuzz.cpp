// Any bytes as a portable PDB.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "symbols/portablepdb/portable_pdb.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace icecore;
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const auto file = PortablePdb::open(memorySource({bytes, bytes + size}, "fuzz.pdb"));
    if (!file) return 0;
    constexpr std::uint32_t enough = 64;
    for (std::uint32_t i = 0; i <= std::min(enough, (*file)->documentCount()); ++i)
        (void)(*file)->document(i);
    for (std::uint32_t i = 0; i <= std::min(enough, (*file)->methodCount()); ++i) {
        (void)(*file)->sequencePoints(i);
        (void)(*file)->pointAt(i, 20);
    }
    return 0;
}
