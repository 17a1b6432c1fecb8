// An address space made of segments of a Source: what every process dump is.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bytes/source.h"
#include "memory/address_space.h"

namespace icecore {

/// Collects segments, then builds the space. Segments may come in any order; where they overlap
/// the one added first wins.
class SegmentSpaceBuilder {
public:
    explicit SegmentSpaceBuilder(std::shared_ptr<const Source> source)
        : source_(std::move(source)) {}

    /// `range` is stored in the source from `offset` on. What lies beyond the source's end
    /// becomes `truncated`.
    void addStored(Range range, std::uint64_t offset);
    /// As addStored; where the source is a file with holes, those are known to be zero. For large
    /// images, whose holes are many pages and cost time to read.
    void addSparse(Range range, std::uint64_t offset);
    /// `range` is there and all zero, not stored.
    void addZero(Range range);
    /// `range` is known to be missing, and why.
    void addAbsent(Range range, Absence why);
    void reserve(std::size_t count) { map_.reserve(count); }

    /// Sorts and cuts overlaps; `overlaps` (may be null) receives how many were cut.
    std::shared_ptr<const AddressSpace> build(std::size_t* overlaps = nullptr);

    struct Segment {
        std::uint64_t offset = 0;  ///< in the source, when stored
        Absence absence = Absence::none;
        bool zero = false;
    };

private:
    void addMissing(Range range, std::uint64_t offset);
    void addHole(Range range, std::uint64_t offset);

    std::shared_ptr<const Source> source_;
    std::optional<std::vector<Range>> data_;  ///< the source's, without holes; when asked for
    std::size_t holes_ = 0;                   ///< added as such
    RangeMap<Segment> map_;
};

}  // namespace icecore
