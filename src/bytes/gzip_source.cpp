#include "bytes/gzip_source.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/text.h"
#include "bytes/inflater.h"
#include "bytes/zeros.h"

namespace icecore {

namespace {

constexpr std::uint64_t firstSpacing = std::uint64_t{1} << 20;
constexpr std::uint64_t mostPointBytes = std::uint64_t{64} << 20;
constexpr std::size_t scanPiece = std::size_t{256} << 10;
/// Zeros behind the last member (tapes, block devices) are no damage; this many are looked at.
constexpr std::uint64_t paddingLooked = 65536;

using Points = std::vector<DeflatePoint>;

/// Gathers points while the content goes by, within a bound of memory.
class PointList {
public:
    [[nodiscard]] bool wanted(std::uint64_t content) const {
        return points_.empty() || content - points_.back().content >= spacing_;
    }
    void add(DeflatePoint point) {
        bytes_ += cost(point);
        points_.push_back(std::move(point));
        while (bytes_ > mostPointBytes)
            thin();
    }
    [[nodiscard]] Points take() { return std::move(points_); }

private:
    static std::uint64_t cost(const DeflatePoint& point) {
        return sizeof(DeflatePoint) + point.packedWindow.capacity();
    }
    /// Drops every other one, but the first.
    void thin() {
        Points fewer;
        fewer.reserve(points_.size() / 2 + 1);
        bytes_ = 0;
        for (std::size_t i = 0; i < points_.size(); i += 2) {
            bytes_ += cost(points_[i]);
            fewer.push_back(std::move(points_[i]));
        }
        points_ = std::move(fewer);
        spacing_ *= 2;
    }
    Points points_;
    std::uint64_t bytes_ = 0, spacing_ = firstSpacing;
};

class GzipSource final : public ForwardSource {
public:
    GzipSource(std::shared_ptr<const Source> file, DeflateWrapping wrapping)
        : ForwardSource(std::move(file)), wrapping_(wrapping) {}

    Result<void> scan() {
        DeflatePoint start;
        start.header = true;
        ASSIGN_OR_RETURN(const auto inflater, Inflater::create(file(), wrapping_, start));
        PointList points;
        points.add(start);
        std::vector<std::byte> piece(scanPiece);
        while (!inflater->finished()) {
            const auto got = inflater->decodeBlock(piece);
            if (!got && size_ == 0) return std::unexpected(got.error());
            if (!got) {
                found().loss(got.error());
                break;
            }
            size_ += *got;
            if (size_ >= mostMeasured) {
                found().loss(tooMuch(mostMeasured));
                break;
            }
            if (inflater->finished() || !inflater->atPoint() || !points.wanted(size_)) continue;
            DeflatePoint point = inflater->point();
            point.content = size_;
            points.add(std::move(point));
        }
        if (inflater->finished()) lookBehind(inflater->position());
        points_ = points.take();
        return {};
    }

    [[nodiscard]] std::uint64_t size() const override { return size_; }

protected:
    [[nodiscard]] std::uint64_t placeBefore(std::uint64_t offset) const override {
        return pointBefore(offset).content;
    }
    [[nodiscard]] Result<std::unique_ptr<ForwardDecoder>> beginAt(
        std::uint64_t place) const override {
        return Inflater::create(file(), wrapping_, pointBefore(place));
    }

private:
    [[nodiscard]] const DeflatePoint& pointBefore(std::uint64_t offset) const {
        const auto after = std::ranges::upper_bound(points_, offset, {}, &DeflatePoint::content);
        return *std::prev(after);
    }

    void lookBehind(std::uint64_t end) {
        const std::uint64_t left = file()->size() - std::min(end, file()->size());
        if (left == 0) return;
        const auto bytes = file()->load(end, std::min(left, paddingLooked));
        if (!bytes || !allZero(bytes->span()))
            found().note("something else follows the compressed content", file()->where(end));
    }

    DeflateWrapping wrapping_;
    Points points_;
    std::uint64_t size_ = 0;
};

/// RFC 1950: deflate, a window of at most 32 KiB, no preset dictionary, and a check of both bytes.
bool zlibHeader(const Source& file) {
    std::array<std::byte, 2> start{};
    const auto got = file.read(0, start);
    if (!got || *got < start.size()) return false;
    const unsigned method = std::to_integer<unsigned>(start[0]);
    const unsigned flags = std::to_integer<unsigned>(start[1]);
    return (method & 0xfU) == 8 && (method >> 4) <= 7 && (method * 256 + flags) % 31 == 0 &&
           (flags & 0x20U) == 0;
}

}  // namespace

bool isGzip(const Source& file) {
    std::array<std::byte, 4> start{};
    const auto got = file.read(0, start);
    // RFC 1952: the mark, deflate, and no flag that is reserved.
    return got && *got == start.size() && start[0] == std::byte{0x1f} &&
           start[1] == std::byte{0x8b} && start[2] == std::byte{8} &&
           (start[3] & std::byte{0xe0}) == std::byte{0};
}

bool isZlib(const Source& file) {
    if (!zlibHeader(file)) return false;
    const std::string extension = toLower(std::filesystem::path(file.name()).extension().string());
    if (extension == ".z" || extension == ".zz" || extension == ".zlib") return true;
    DeflatePoint start;
    start.header = true;
    // The source is only looked at while this lasts.
    const auto inflater = Inflater::create(std::shared_ptr<const Source>(&file, [](auto*) {}),
                                           DeflateWrapping::zlib, start);
    std::array<std::byte, 4> first{};
    if (!inflater) return false;
    const auto got = (*inflater)->decode(first);
    return got && *got == first.size() && first[0] == std::byte{'E'} &&
           first[1] == std::byte{'M'} && first[2] == std::byte{'i'} && first[3] == std::byte{'L'};
}

Result<std::shared_ptr<const Source>> openGzip(std::shared_ptr<const Source> file) {
    const auto wrapping = isGzip(*file) ? DeflateWrapping::gzip : DeflateWrapping::zlib;
    auto source = std::make_shared<GzipSource>(std::move(file), wrapping);
    TRY(source->scan());
    return source;
}

}  // namespace icecore
