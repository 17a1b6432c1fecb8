#include "model/linux_maps.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace icecore {

namespace {

/// Takes the next field off `line`.
std::string_view nextField(std::string_view& line) {
    const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
    const std::size_t end = std::min(line.find(' ', begin), line.size());
    const std::string_view field = line.substr(begin, end - begin);
    line.remove_prefix(end);
    return field;
}

/// Numbers joined by a separator: "7f00-7f10", "08:01".
std::optional<std::pair<std::uint64_t, std::uint64_t>> hexPair(std::string_view text,
                                                               char separator) {
    const std::size_t at = text.find(separator);
    if (at == std::string_view::npos) return std::nullopt;
    const auto first = parseHex(text.substr(0, at));
    const auto second = parseHex(text.substr(at + 1));
    if (!first || !second) return std::nullopt;
    return std::pair(*first, *second);
}

/// The kernel writes a newline in a file name as \012; nothing else is escaped.
std::string unescaped(std::string_view name) {
    std::string plain;
    for (std::size_t at = 0; at < name.size();) {
        const bool newline = name.substr(at, 4) == "\\012";
        plain += newline ? '\n' : name[at];
        at += newline ? 4 : 1;
    }
    return plain;
}

std::string escaped(std::string_view name) {
    std::string text;
    for (const char c : name) {
        if (c == '\n')
            text += "\\012";
        else
            text += c;
    }
    return text;
}

std::optional<Region> parseLine(std::string_view line) {
    const auto range = hexPair(nextField(line), '-');
    const std::string_view access = nextField(line);
    const auto offset = parseHex(nextField(line));
    const auto device = hexPair(nextField(line), ':');
    const auto inode = parseDecimal(nextField(line));
    if (!range || access.size() != 4 || !offset || !device || !inode) return std::nullopt;
    if (range->first >= range->second) return std::nullopt;
    Region region;
    region.range = Range::between(range->first, range->second);
    region.protection = {access[0] == 'r', access[1] == 'w', access[2] == 'x', false};
    region.shared = access[3] == 's';
    region.fileOffset = *offset;
    // As makedev(3) packs it, so that it compares equal to what stat says.
    const std::uint64_t major = device->first;
    const std::uint64_t minor = device->second;
    region.device = (major & 0xfff) << 8 | (minor & 0xff) | (minor & ~std::uint64_t{0xff}) << 12 |
                    (major & ~std::uint64_t{0xfff}) << 32;
    region.inode = *inode;
    region.name = unescaped(line.substr(std::min(line.find_first_not_of(' '), line.size())));
    region.kind = kindByName(region.name, region.shared, region.inode);
    return region;
}

}  // namespace

RegionKind kindByName(std::string_view name, bool shared, std::uint64_t inode) {
    if (name == "[heap]") return RegionKind::heap;
    if (name.starts_with("[stack")) return RegionKind::stack;
    if (name == "[vdso]") return RegionKind::vdso;
    if (name == "[vvar]" || name == "[vvar_vclock]" || name == "[vsyscall]" ||
        name == "[vectors]" || name == "[uprobes]")
        return RegionKind::special;
    const bool noVisibleFile = name.starts_with("/memfd:") || name.starts_with("/dev/zero") ||
                               name.starts_with("/SYSV") || name.starts_with("[anon_shmem:");
    if (noVisibleFile || (shared && name.empty())) return RegionKind::shared;
    if (inode != 0 || name.starts_with('/')) return RegionKind::file;
    return RegionKind::anonymous;
}

std::vector<Region> parseLinuxMaps(std::string_view text, Issues& issues) {
    std::vector<Region> regions;
    std::size_t bad = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty() || line == std::string_view("\0", 1)) continue;
        auto region = parseLine(line);
        const bool behind =
            regions.empty() || !region || region->range.begin() >= regions.back().range.end();
        if (region && behind)
            regions.push_back(std::move(*region));
        else
            ++bad;
    }
    if (bad != 0) issues.loss(fmt::format("{} lines of the memory map make no sense", bad));
    return regions;
}

std::string_view withoutDeletedMark(std::string_view name) {
    constexpr std::string_view mark = " (deleted)";
    if (name.ends_with(mark)) name.remove_suffix(mark.size());
    return name;
}

bool outlivedItsFile(const Region& region) {
    const std::string_view file = withoutDeletedMark(region.name);
    return !file.empty() && file.size() < region.name.size();
}

bool isAnonymousShared(const Region& region) {
    return region.kind == RegionKind::shared || outlivedItsFile(region);
}

std::string printLinuxMaps(const std::vector<Region>& regions) {
    std::string text;
    for (const Region& region : regions) {
        const Protection& access = region.protection;
        const std::uint64_t major =
            (region.device >> 8 & 0xfff) | (region.device >> 32 & ~0xfffULL);
        const std::uint64_t minor = (region.device & 0xff) | (region.device >> 12 & ~0xffULL);
        std::string line =
            fmt::format("{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ", region.range.begin(),
                        region.range.end(), access.read ? 'r' : '-', access.write ? 'w' : '-',
                        access.execute ? 'x' : '-', region.shared ? 's' : 'p', region.fileOffset,
                        major, minor & 0xffffffffU, region.inode);
        if (!region.name.empty()) {
            if (line.size() < 73) line.resize(73, ' ');
            line += escaped(region.name);
        }
        text += line;
        text += '\n';
    }
    return text;
}

}  // namespace icecore
