// Any text as a Breakpad symbol file.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "symbols/breakpad/sym_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace icecore;
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const auto file = SymFile::open(memorySource({bytes, bytes + size}, "fuzz.sym"));
    if (!file) return 0;
    for (std::uint64_t address = 0xff0; address < 0x1110; address += 5) {
        (void)(*file)->locate(address, true);
        (void)(*file)->cfiAt(address);
        (void)(*file)->stackWinAt(address);
    }
    std::vector<ModuleReader::Named> found;
    constexpr std::size_t most = 64;
    (*file)->find("*", most, found);
    (void)(*file)->byName("ns::List<int>::add");
    return 0;
}
