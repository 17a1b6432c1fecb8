// Two images of a machine's memory side by side.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"
#include "formats/format.h"
#include "formats/image/image.h"

namespace icecore::tests {

struct ImageComparison {
    std::uint64_t pages = 0, same = 0;
    std::string problem;                ///< what kept them from being compared
    std::uint64_t firstDifference = 0;  ///< physical address, where not all are the same
};

/// Every page that `a` has below `end`, beside the same one of `b`.
inline ImageComparison compareImages(const std::string& a, const std::string& b,
                                     std::uint64_t end = UINT64_MAX) {
    ImageComparison result;
    const auto first = openDump(a);
    const auto second = openDump(b);
    if (!first || !second || !first->machine || !second->machine) {
        result.problem = "not opened: " + (first ? b : a);
        return result;
    }
    constexpr std::size_t page = 4096;
    std::vector<std::byte> one(1 << 20);
    std::vector<std::byte> two(1 << 20);
    for (const Range& whole : image::storedRanges(*first->machine->physical)) {
        const Range range = whole.intersect(Range::between(0, end));
        for (std::uint64_t at = range.begin(); at < range.end();) {
            const auto count =
                static_cast<std::size_t>(std::min<std::uint64_t>(one.size(), range.end() - at));
            const auto got = first->machine->physical->read(at, std::span(one).first(count)).bytes;
            const auto other =
                second->machine->physical->read(at, std::span(two).first(count)).bytes;
            if (got != count || other != count) {
                result.problem = "missing from " + hex(at + std::min(got, other));
                return result;
            }
            for (std::size_t i = 0; i < count; i += page) {
                const std::size_t size = std::min(page, count - i);
                const bool same = std::equal(one.begin() + static_cast<std::ptrdiff_t>(i),
                                             one.begin() + static_cast<std::ptrdiff_t>(i + size),
                                             two.begin() + static_cast<std::ptrdiff_t>(i));
                if (!same && result.same == result.pages) result.firstDifference = at + i;
                ++result.pages;
                if (same) ++result.same;
            }
            at += count;
        }
    }
    if (result.pages == 0) result.problem = a + " has no memory";
    return result;
}

inline testing::AssertionResult sameMemory(const std::string& a, const std::string& b,
                                           std::uint64_t end = UINT64_MAX) {
    const ImageComparison compared = compareImages(a, b, end);
    if (!compared.problem.empty()) return testing::AssertionFailure() << compared.problem;
    if (compared.same != compared.pages)
        return testing::AssertionFailure()
               << compared.pages - compared.same << " of " << compared.pages
               << " pages differ, the first at " << hex(compared.firstDifference);
    return testing::AssertionSuccess() << compared.pages << " pages";
}

}  // namespace icecore::tests
