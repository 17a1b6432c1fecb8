// Any bytes as a Windows kernel dump: reading it and asking its memory, physical and virtual.
#include <cstddef>
#include <cstdint>
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
    const auto source = memorySource(std::vector<std::byte>(bytes, bytes + size), "fuzz.dmp");
    const auto snapshot = windowsKernelDumpFormat().open(source);
    if (!snapshot) return 0;
    ask(*snapshot->process->memory);
    ask(*snapshot->machine->physical);
    return 0;
}
