// Any bytes as a PE image: headers, sections, exports, debug directory, version resource. Nothing
// may crash, hang or take more memory than the input is worth.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "bytes/source.h"
#include "images/pe_details.h"
#include "symbols/export_table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace icecore;
    const auto* bytes = reinterpret_cast<const std::byte*>(data);
    const auto image = PeImage::open(memorySource({bytes, bytes + size}, "fuzz.dll"));
    if (!image) return 0;
    (void)(*image)->id();
    (void)(*image)->codeView();
    (void)(*image)->functionTable();
    (void)peVersion(**image);
    (void)peBuild(**image);
    const ExportTable exports(*image);
    for (const auto& entry : exports.entries()) {
        (void)exports.at(entry.address + 1);
        (void)exports.covers(entry, entry.address + 1);
    }
    return 0;
}
