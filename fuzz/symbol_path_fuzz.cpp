// Any text as a symbol path, and as a name that Microsoft's compilers mangled.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "symbols/msvc_name.h"
#include "symbols/search_path.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const icecore::SymbolSite& site : icecore::parseSymbolPath(text)) {
        if (site.places.empty()) std::abort();
    }
    (void)icecore::symbolPathFolders(text);
    (void)icecore::msvcName(text);
    (void)icecore::withoutX86Decoration(text);
    return 0;
}
