// Any bytes as an image of a machine's memory that is read and never written: VMware's checkpoints,
// hibernation files; and Xpress, which those are packed with.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bytes/xpress.h"
#include "formats/hiberfil/hiberfil.h"
#include "formats/vmware/vmware.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace icecore;
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    std::vector<std::byte> piece(65536);
    const auto source = memorySource({bytes, bytes + size}, "fuzz");
    for (const Format& format : {vmwareFormat(), hiberfilFormat()}) {
        if (!format.probe(*source)) continue;
        const auto snapshot = format.open(source);
        if (!snapshot) continue;
        std::size_t touched = 0;
        for (const Extent& extent : snapshot->machine->physical->extents(Range::all())) {
            (void)snapshot->machine->physical->read(extent.range.begin(), piece);
            if (++touched == 32) break;
        }
    }
    (void)unpackXpress({bytes, size}, piece);
    (void)unpackXpressHuffman({bytes, size}, piece);
    return 0;
}
