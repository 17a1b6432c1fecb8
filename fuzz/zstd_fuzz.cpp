// Any bytes as a compressed dump.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bytes/seekable_zstd.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace icecore;
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const auto source = openSeekableZstd(memorySource({bytes, bytes + size}, "fuzz.zst"));
    if (!source) return 0;
    std::vector<std::byte> piece(1000);
    for (const std::uint64_t at : {std::uint64_t{0}, (*source)->size() / 2, (*source)->size()})
        (void)(*source)->read(at, piece);
    return 0;
}
