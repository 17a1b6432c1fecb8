#include "bytes/zstd_frames.h"

#include <algorithm>
#include <array>

#include "bytes/endian.h"
#include "bytes/seekable_zstd_format.h"

namespace icecore {

namespace {

using namespace zstd_format;

constexpr std::size_t mostFrames = std::size_t{1} << 22;
constexpr std::uint64_t blockContent = std::uint64_t{128} << 10;
constexpr std::size_t windowSize = std::size_t{64} << 10;

/// Small reads from a file, front to back.
class Bytes {
public:
    explicit Bytes(const Source& file) : file_(file) {}
    /// The little-endian integer of `size` bytes at `at`, or nothing behind the end.
    std::optional<std::uint64_t> integer(std::uint64_t at, std::size_t size) {
        if (size == 0) return 0;
        if (at < begin_ || at - begin_ + size > filled_) {
            const auto got = file_.read(at, window_);
            begin_ = at;
            filled_ = got.value_or(0);
            if (filled_ < size) return std::nullopt;
        }
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < size; ++i)
            value |=
                std::to_integer<std::uint64_t>(window_[static_cast<std::size_t>(at - begin_) + i])
                << (8 * i);
        return value;
    }

private:
    const Source& file_;
    std::vector<std::byte> window_ = std::vector<std::byte>(windowSize);
    std::uint64_t begin_ = 0, filled_ = 0;
};

struct Header {
    std::size_t size = 0;
    std::optional<std::uint64_t> content;
    bool checksum = false;
};

/// RFC 8878, 3.1.1.1; nothing where the file ends within it.
std::optional<Header> readHeader(Bytes& bytes, std::uint64_t at) {
    const auto descriptor = bytes.integer(at + 4, 1);
    if (!descriptor) return std::nullopt;
    const bool single = (*descriptor & 0x20U) != 0;
    constexpr std::array<std::size_t, 4> idSizes = {0, 1, 2, 4};
    const std::size_t idSize = idSizes[static_cast<std::size_t>(*descriptor & 3U)];
    const auto sizeFlag = static_cast<unsigned>(*descriptor >> 6);
    const std::size_t sizeSize = sizeFlag == 0 ? (single ? 1 : 0) : std::size_t{1} << sizeFlag;
    const std::uint64_t sizeAt = at + 5 + (single ? 0 : 1) + idSize;
    const auto content = bytes.integer(sizeAt, sizeSize);
    if (!content) return std::nullopt;
    Header header;
    header.size = static_cast<std::size_t>(sizeAt - at) + sizeSize;
    header.checksum = (*descriptor & 4U) != 0;
    if (sizeSize > 0) header.content = *content + (sizeSize == 2 ? 256 : 0);
    return header;
}

/// Walks over a frame's blocks.
Result<ZstdFrame> readFrame(const Source& file, Bytes& bytes, std::uint64_t at) {
    ZstdFrame frame;
    frame.file = at;
    const auto cut = [&] {
        frame.cut = true;
        frame.size = file.size() - at;
        frame.content.reset();
        return frame;
    };
    const auto header = readHeader(bytes, at);
    if (!header) return cut();
    std::uint64_t most = 0;
    bool exact = true;
    std::uint64_t next = at + header->size;
    for (bool last = false; !last;) {
        const auto block = bytes.integer(next, 3);
        if (!block) return cut();
        last = (*block & 1U) != 0;
        const std::uint64_t size = *block >> 3;
        const auto type = static_cast<unsigned>((*block >> 1) & 3U);
        // 0 stored, 1 one byte repeated, 2 compressed, 3 reserved
        if (type == 3)
            return fail(Errc::malformed, "damaged zstd: a block of no known kind",
                        file.where(next));
        exact &= type != 2;
        most += type == 2 ? blockContent : size;
        next += 3 + (type == 1 ? 1 : size);
        if (next > file.size()) return cut();
    }
    next += header->checksum ? 4 : 0;
    if (next > file.size()) return cut();
    frame.size = next - at;
    frame.content = header->content;
    if (!frame.content && exact) frame.content = most;
    if (frame.content && *frame.content > most)
        return fail(Errc::malformed, "damaged zstd: claims more than its blocks can hold",
                    file.where(at));
    return frame;
}

}  // namespace

Result<std::vector<ZstdFrame>> walkZstdFrames(const Source& file) {
    std::vector<ZstdFrame> frames;
    Bytes bytes(file);
    std::uint64_t at = 0;
    while (at < file.size()) {
        const auto magic = bytes.integer(at, 4);
        if (!magic) break;
        ZstdFrame frame;
        if ((*magic & skippableMask) == skippableMagic) {
            const auto size = bytes.integer(at + 4, 4);
            const std::uint64_t left = file.size() - at;
            frame = {at, std::min(left, 8 + size.value_or(left)), 0, true, false};
        } else if (*magic == frameMagic) {
            ASSIGN_OR_RETURN(frame, readFrame(file, bytes, at));
        } else {
            break;
        }
        if (frames.size() == mostFrames)
            return fail(Errc::limit, "more frames than can be listed", file.where(at));
        frames.push_back(frame);
        at += frame.size;
    }
    return frames;
}

}  // namespace icecore
