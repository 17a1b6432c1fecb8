// A source whose content can only be unpacked front to back, from a few places in it.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "bytes/block_source.h"
#include "bytes/imperfect.h"

namespace icecore {

/// Unpacks a compressed file from one place on.
class ForwardDecoder {
public:
    virtual ~ForwardDecoder() = default;
    ForwardDecoder() = default;
    ForwardDecoder(const ForwardDecoder&) = delete;
    ForwardDecoder& operator=(const ForwardDecoder&) = delete;

    /// The next bytes of the content. Fewer than `out` takes (or none) where the content ends, and
    /// where it is damaged or cut off as long as there are any; else an error.
    [[nodiscard]] virtual Result<std::size_t> decode(std::span<std::byte> out) = 0;
    /// Roughly how many bytes of memory it takes.
    [[nodiscard]] virtual std::uint64_t memory() const = 0;
};

/// Reads pieces of the content with decoders that stay where they stopped, so that reading on costs
/// nothing extra, and reading elsewhere costs unpacking from the nearest place before. One piece is
/// unpacked at a time: threads that read side by side would else each unpack everything.
class ForwardSource : public BlockSource, public ImperfectSource {
public:
    [[nodiscard]] const std::string& name() const override { return file_->name(); }
    /// Those of the compressed file, and what was found while its content was looked for.
    [[nodiscard]] Issues issues() const final;

protected:
    explicit ForwardSource(std::shared_ptr<const Source> file) : file_(std::move(file)) {}
    [[nodiscard]] const std::shared_ptr<const Source>& file() const { return file_; }
    /// To be filled in while it is opened.
    [[nodiscard]] Issues& found() { return found_; }

    /// The last place at or before `offset` (of the content) where unpacking can begin.
    [[nodiscard]] virtual std::uint64_t placeBefore(std::uint64_t offset) const = 0;
    /// A decoder that stands at such a place.
    [[nodiscard]] virtual Result<std::unique_ptr<ForwardDecoder>> beginAt(
        std::uint64_t place) const = 0;

    [[nodiscard]] Result<Place> locate(std::uint64_t offset) const final;
    [[nodiscard]] Result<void> unpack(const Place& place, std::span<std::byte> out) const final;
    [[nodiscard]] bool cheap() const final { return false; }

private:
    struct Parked {
        std::uint64_t position = 0;  ///< of the content
        std::unique_ptr<ForwardDecoder> decoder;
    };
    [[nodiscard]] Result<Parked> decoderFor(std::uint64_t offset) const;
    [[nodiscard]] Result<void> next(Parked& from, std::span<std::byte> out) const;
    void park(Parked one) const;

    std::shared_ptr<const Source> file_;
    Issues found_;
    mutable std::mutex decoding_;
    mutable std::list<Parked> parked_;  ///< most recently used first; guarded by decoding_
};

/// Content that is unpacked to find out how much it is: what is longer ends there, and that is
/// told. No machine has so much memory, and a small file may claim to.
inline constexpr std::uint64_t mostMeasured = std::uint64_t{4} << 40;

/// How much content a decoder has left: everything is unpacked and dropped. `damage` receives why
/// it is not more, where it should be.
std::uint64_t measure(ForwardDecoder& decoder, std::optional<Error>& damage,
                      std::uint64_t most = mostMeasured);
/// What is said of content that is longer.
Error tooMuch(std::uint64_t most);

}  // namespace icecore
