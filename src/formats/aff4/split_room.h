// How much of a volume that must not become longer than so many bytes is left to what stands at its
// end, of which its size is known only then.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/range.h"
#include "formats/aff4/packed_piece.h"

namespace icecore::aff4 {

class SplitRoom {
public:
    struct Machine {
        std::vector<Range> ranges;       ///< of memory
        std::uint64_t absentRanges = 0;  ///< each one an entry of the map
        std::uint64_t extras = 0;        ///< bytes of what is kept beside the map
    };
    /// `limit` where volumes of `mostBytes` are too short for that memory, or would be too many.
    static Result<SplitRoom> plan(std::uint64_t mostBytes, const Machine& machine,
                                  std::string_view firstName);

    /// At the end of volume `number`, besides its own entries of the map.
    [[nodiscard]] std::uint64_t atEnd(std::size_t number) const {
        return number == 1 ? endOfFirst_ : endOfOther_;
    }
    /// What a piece adds at most.
    [[nodiscard]] static std::uint64_t of(const PackedPiece& piece);
    /// How long pieces may be.
    [[nodiscard]] std::uint64_t mostInPiece() const;
    [[nodiscard]] std::uint64_t mostBytes() const { return mostBytes_; }

private:
    std::uint64_t mostBytes_ = 0, endOfFirst_ = 0, endOfOther_ = 0;
};

}  // namespace icecore::aff4
