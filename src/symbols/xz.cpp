#include "symbols/xz.h"

#include <lzma.h>

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace icecore {

Result<SharedBytes> decompressXz(ByteView stored, std::uint64_t limit) {
    lzma_stream stream = LZMA_STREAM_INIT;
    constexpr std::uint64_t memoryLimit = 256U << 20;
    if (lzma_stream_decoder(&stream, memoryLimit, 0) != LZMA_OK)
        return fail(Errc::internal, "liblzma does not start");
    std::vector<std::byte> content;
    stream.next_in = reinterpret_cast<const std::uint8_t*>(stored.data());
    stream.avail_in = stored.size();
    lzma_ret status = LZMA_OK;
    while (status == LZMA_OK && content.size() < limit) {
        const std::size_t old = content.size();
        const std::size_t room = static_cast<std::size_t>(
            std::min<std::uint64_t>(std::max<std::size_t>(old, 256U << 10), limit - old));
        content.resize(old + room);
        stream.next_out = reinterpret_cast<std::uint8_t*>(content.data() + old);
        stream.avail_out = room;
        status = lzma_code(&stream, LZMA_FINISH);
        content.resize(old + room - stream.avail_out);
    }
    lzma_end(&stream);
    if (status != LZMA_STREAM_END) {
        const bool tooBig = status == LZMA_OK;
        return fail(
            tooBig ? Errc::limit : Errc::malformed,
            tooBig ? "compressed data grows beyond " + humanBytes(limit) : "damaged .xz data",
            stored.where());
    }
    return SharedBytes::own(std::move(content));
}

}  // namespace icecore
