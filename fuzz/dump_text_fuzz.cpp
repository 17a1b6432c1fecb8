// Any text as the description of a dump: what it builds is described and built again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "formats/dump_text.h"
#include "formats/minidump/minidump.h"
#include "formats/minidump/text_specs.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace icecore;
    constexpr std::uint64_t limit = 1 << 20;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto built = buildFromText(text, minidump::textSpecs(), limit);
    if (!built) return 0;
    const auto described = minidump::describe(memorySource(*built, "fuzz"));
    if (!described) return 0;
    const auto again = minidump::build(*described);
    if (!again || *again != *built) std::abort();
    return 0;
}
