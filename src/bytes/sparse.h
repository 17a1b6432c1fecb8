// Which parts of a file are not holes.
#pragma once

#include <vector>

#include "base/range.h"
#include "bytes/source.h"

namespace icecore {

/// What a Source that knows its holes is besides.
class SparseSource {
public:
    virtual ~SparseSource() = default;
    SparseSource() = default;
    SparseSource(const SparseSource&) = delete;
    SparseSource& operator=(const SparseSource&) = delete;
    /// The parts that may hold anything but zeros, ascending and disjoint.
    [[nodiscard]] virtual std::vector<Range> dataRanges() const = 0;
};

/// The parts of `source` that may hold anything but zeros: all of it where it does not know better.
[[nodiscard]] inline std::vector<Range> dataRanges(const Source& source) {
    if (const auto* sparse = dynamic_cast<const SparseSource*>(&source))
        return sparse->dataRanges();
    return {Range::ofSize(0, source.size())};
}

}  // namespace icecore
