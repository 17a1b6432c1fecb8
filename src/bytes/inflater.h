// DEFLATE streams in gzip's (RFC 1952) or zlib's (RFC 1950) wrapping, unpacked front to back, from
// their beginning or from within.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "bytes/forward_source.h"

namespace icecore {

enum class DeflateWrapping : std::uint8_t { gzip, zlib };

/// Where in a file unpacking can begin, and what it needs to.
struct DeflatePoint {
    std::uint64_t content = 0;            ///< offset of what comes next
    std::uint64_t file = 0;               ///< offset of the next byte of which no bit was used
    std::uint8_t bits = 0;                ///< of the byte before it that were not used yet
    bool header = false;                  ///< a header stands here: nothing else is needed
    std::uint16_t window = 0;             ///< bytes of content before it that may be referred to
    std::vector<std::byte> packedWindow;  ///< these, compressed with LZ4
};

class Inflater final : public ForwardDecoder {
public:
    /// Begins at a header or within a stream; an error where the point cannot be used.
    static Result<std::unique_ptr<Inflater>> create(std::shared_ptr<const Source> file,
                                                    DeflateWrapping wrapping,
                                                    const DeflatePoint& point);
    ~Inflater() override;

    [[nodiscard]] Result<std::size_t> decode(std::span<std::byte> out) override;
    [[nodiscard]] std::uint64_t memory() const override;

    /// As decode, but stops where a point can be set: behind each block and before each member.
    [[nodiscard]] Result<std::size_t> decodeBlock(std::span<std::byte> out);
    /// Whether it stands at such a place now.
    [[nodiscard]] bool atPoint() const;
    /// That place; `content` is for the caller to fill in.
    [[nodiscard]] DeflatePoint point() const;
    /// Offset of the first byte of the file that was not used.
    [[nodiscard]] std::uint64_t position() const;
    /// Whether the last member ended as it should.
    [[nodiscard]] bool finished() const;

private:
    struct State;
    explicit Inflater(std::unique_ptr<State> state);
    Result<std::size_t> run(std::span<std::byte> out, int flush);
    std::unique_ptr<State> state_;
};

}  // namespace icecore
