// Any bytes as a core: notes, registers, lists, memory; then as text and back.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "formats/format.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace icecore;
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const auto source = memorySource({bytes, bytes + size}, "fuzz.core");
    const Format* core = formatByName("core");
    if (const auto snapshot = core->open(source)) {
        std::vector<std::byte> piece(4096);
        std::size_t touched = 0;
        for (const Extent& extent : snapshot->process->memory->extents(Range::all())) {
            (void)snapshot->process->memory->read(extent.range.begin(), piece);
            (void)snapshot->process->memory->explain(extent.range.begin());
            if (++touched == 64) break;
        }
    }
    const auto text = core->describe(source);
    if (!text) return 0;
    const auto built = core->build(*text);
    // What is described is the file, whatever it is.
    if (built && !std::equal(built->begin(), built->end(), bytes, bytes + size)) std::abort();
    return 0;
}
