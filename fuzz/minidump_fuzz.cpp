// Any bytes as a minidump: reading it, asking its memory, listing its parts, describing it and
// building it again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "formats/minidump/minidump.h"
#include "model/wow64.h"

namespace {

using namespace icecore;

void ask(const Snapshot& snapshot) {
    const Process& process = *snapshot.process;
    std::byte piece[256];
    for (const Thread& thread : process.threads) {
        if (thread.context) (void)process.memory->read(thread.context->registers.sp(), piece);
    }
    std::size_t asked = 0;
    for (const Extent& extent : process.memory->extents(Range::all())) {
        (void)process.memory->read(extent.range.begin(), piece);
        (void)process.memory->explain(extent.range.begin());
        if (++asked == 256) break;
    }
    // The other side of a 32-bit process on 64-bit Windows, and back.
    Process other = process;
    if (auto narrow = wow64Side(other)) {
        exchangeSides(other, *narrow);
        exchangeSides(other, *narrow);
        (void)goToTelling32BitSide(other);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const std::vector<std::byte> file(bytes, bytes + size);
    const auto source = memorySource(file, "fuzz.dmp");
    if (const auto snapshot = minidump::open(source)) ask(*snapshot);
    (void)minidump::outline(source);
    if (const auto text = minidump::describe(source)) {
        const auto again = minidump::build(*text);
        if (!again || *again != file) std::abort();
    }
    return 0;
}
