// Any bytes as an image of a machine's memory, of whatever format they look like.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "formats/format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace icecore;
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const auto source = memorySource({bytes, bytes + size}, "fuzz.raw");
    for (const Format& format : allFormats()) {
        if (format.writeImage == nullptr || format.open == nullptr || !format.probe(*source))
            continue;
        const auto snapshot = format.open(source);
        if (!snapshot || !snapshot->machine) continue;
        std::vector<std::byte> piece(8192);
        std::size_t touched = 0;
        for (const Extent& extent : snapshot->machine->physical->extents(Range::all())) {
            (void)snapshot->machine->physical->read(extent.range.begin(), piece);
            (void)snapshot->machine->physical->explain(extent.range.begin());
            if (++touched == 64) break;
        }
    }
    return 0;
}
