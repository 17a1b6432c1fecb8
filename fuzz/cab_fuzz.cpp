// Any bytes as a cabinet, as symbol stores compress with. Nothing may crash, hang or unpack to more
// than is allowed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "symbols/cab.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::uint64_t limit = 1U << 20;
    const auto content = icecore::unpackCabinet(std::as_bytes(std::span(data, size)), limit);
    if (content && content->size() > limit) std::abort();
    return 0;
}
