// Any bytes as a Windows kernel dump: reading it, asking its memory, physical and virtual,
// describing it and building it again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "formats/winkernel/kernel_dump.h"

namespace {

using namespace icecore;

void ask(const AddressSpace& memory) {
    std::byte piece[256];
    std::size_t asked = 0;
    for (const Extent& extent : memory.extents(Range::all())) {
        (void)memory.read(extent.range.begin(), piece);
        (void)memory.explain(extent.range.begin());
        if (++asked == 256) break;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const std::vector<std::byte> file(bytes, bytes + size);
    const auto source = memorySource(file, "fuzz.dmp");
    const Format format = windowsKernelDumpFormat();
    if (const auto text = format.describe(source)) {
        const auto again = format.build(*text);
        if (!again || *again != file) std::abort();
    }
    const auto snapshot = format.open(source);
    if (!snapshot) return 0;
    ask(*snapshot->process->memory);
    ask(*snapshot->machine->physical);
    return 0;
}
