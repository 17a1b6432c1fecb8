// What is wrong with a Source's content, found before anybody read it.
#pragma once

#include <vector>

#include "base/issue.h"
#include "base/range.h"
#include "bytes/source.h"

namespace icecore {

/// What a Source is besides whose content was put together or unpacked, and may not all be there.
class ImperfectSource {
public:
    virtual ~ImperfectSource() = default;
    ImperfectSource() = default;
    ImperfectSource(const ImperfectSource&) = delete;
    ImperfectSource& operator=(const ImperfectSource&) = delete;

    /// What was found, or is worth knowing, when it was opened.
    [[nodiscard]] virtual Issues issues() const = 0;
    /// Parts of the content that are known to be missing, ascending: reading them is an error.
    [[nodiscard]] virtual std::vector<Range> missing() const { return {}; }
};

/// Nothing where the source knows of nothing.
[[nodiscard]] inline Issues issuesOf(const Source& source) {
    const auto* imperfect = dynamic_cast<const ImperfectSource*>(&source);
    return imperfect != nullptr ? imperfect->issues() : Issues();
}
[[nodiscard]] inline std::vector<Range> missingRanges(const Source& source) {
    const auto* imperfect = dynamic_cast<const ImperfectSource*>(&source);
    return imperfect != nullptr ? imperfect->missing() : std::vector<Range>();
}

}  // namespace icecore
