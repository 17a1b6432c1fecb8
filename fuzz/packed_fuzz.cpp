// Any bytes as a file that is compressed as a whole: with gzip, zlib, xz, zstd or in DumpIt's ZDMP.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bytes/imperfect.h"
#include "bytes/packed_source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace icecore;
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const auto source = unpacked(memorySource({bytes, bytes + size}, "fuzz.z"));
    if (!source) return 0;
    (void)issuesOf(**source);
    std::vector<std::byte> piece(1000);
    const std::uint64_t end = (*source)->size();
    for (const std::uint64_t at : {std::uint64_t{0}, end / 2, end / 3, end - (end > 0 ? 1 : 0)})
        (void)(*source)->read(at, piece);
    return 0;
}
