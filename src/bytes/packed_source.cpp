#include "bytes/packed_source.h"

#include <algorithm>
#include <array>

#include "bytes/flat_source.h"
#include "bytes/gzip_source.h"
#include "bytes/seekable_zstd.h"
#include "bytes/xz_source.h"
#include "bytes/zdmp_source.h"

namespace icecore {

namespace {

struct Packing {
    bool (*is)(const Source& file);
    Result<std::shared_ptr<const Source>> (*open)(std::shared_ptr<const Source> file);
};

/// What is surest by its first bytes comes first.
constexpr std::array packings = {
    Packing{isZstd, openSeekableZstd},   Packing{isXz, openXz},     Packing{isZdmp, openZdmp},
    Packing{isFlattened, openFlattened}, Packing{isGzip, openGzip}, Packing{isZlib, openGzip},
};

/// A dump in its own compression, packed again for its way by mail. More would be a trap.
constexpr int mostLayers = 2;

}  // namespace

Result<std::shared_ptr<const Source>> unpacked(std::shared_ptr<const Source> file) {
    for (int layer = 0; layer < mostLayers; ++layer) {
        const auto* const packing =
            std::ranges::find_if(packings, [&](const Packing& one) { return one.is(*file); });
        if (packing == packings.end()) break;
        ASSIGN_OR_RETURN(file, packing->open(std::move(file)));
    }
    return file;
}

}  // namespace icecore
