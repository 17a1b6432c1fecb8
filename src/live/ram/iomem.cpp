#include "live/ram/iomem.h"

#include <fstream>
#include <iterator>

#include "base/text.h"

namespace icecore::ram {

Result<std::vector<Range>> parseIomem(std::string_view text) {
    RangeSet ranges;
    bool hidden = false;
    for (const std::string_view line : split(text, '\n')) {
        const std::size_t colon = line.find(" : ");
        if (colon == std::string_view::npos || trim(line.substr(colon + 3)) != "System RAM")
            continue;
        const auto ends = split(trim(line.substr(0, colon)), '-');
        if (ends.size() != 2) continue;
        const auto first = parseHex(ends[0]);
        const auto last = parseHex(ends[1]);
        if (!first || !last || *last < *first || *last == UINT64_MAX) continue;
        if (*first == 0 && *last == 0)
            hidden = true;
        else
            ranges.add(Range::between(*first, *last + 1));
    }
    if (!ranges.empty()) return ranges.ranges();
    if (hidden) return fail(Errc::permission, "shows no addresses to this user");
    return fail(Errc::not_found, "names no System RAM");
}

Result<std::vector<Range>> systemRam(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return fail(Errc::not_found, "cannot be opened", path);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    auto ranges = parseIomem(text);
    if (!ranges) ranges.error().where = path;
    return ranges;
}

}  // namespace icecore::ram
