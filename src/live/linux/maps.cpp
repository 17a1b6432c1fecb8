#include "live/linux/maps.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/text.h"
#include "bytes/descriptor_posix.h"

namespace icecore::live {

namespace {

/// Takes a hex number and the character after it off the front of `text`.
bool takeHex(std::string_view& text, char after, std::uint64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
    const auto used = static_cast<std::size_t>(end - text.data());
    if (error != std::errc{} || used >= text.size() || text[used] != after) return false;
    text.remove_prefix(used + 1);
    return true;
}

/// The kernel writes a newline in a path as \012, and nothing else.
std::string unescapePath(std::string_view path) {
    std::string text(path);
    for (std::size_t at = 0; (at = text.find("\\012", at)) != std::string::npos; ++at)
        text.replace(at, 4, "\n");
    return text;
}

RegionKind kindOf(const Region& region) {
    const std::string_view name = region.name;
    if (name == "[vdso]") return RegionKind::vdso;
    if (name == "[vsyscall]" || name == "[uprobes]" || name.starts_with("[vvar"))
        return RegionKind::special;
    if (name == "[heap]") return RegionKind::heap;
    if (name == "[stack]" || name.starts_with("[stack:")) return RegionKind::stack;
    // Memory that has an inode, but no file that anybody could open by its name.
    const bool nameless = name.starts_with("/memfd:") || name.starts_with("/SYSV") ||
                          name.starts_with("/dev/zero") || name.starts_with("[anon_shmem:");
    if (nameless) return RegionKind::shared;
    if (name.starts_with("/") && region.inode != 0) return RegionKind::file;
    if (name.starts_with("anon_inode:") || region.inode != 0)
        return region.shared ? RegionKind::shared : RegionKind::file;
    return region.shared ? RegionKind::shared : RegionKind::anonymous;
}

bool parseLine(std::string_view line, Region& region) {
    std::uint64_t begin = 0, end = 0, major = 0, minor = 0;
    if (!takeHex(line, '-', begin) || !takeHex(line, ' ', end) || line.size() < 5) return false;
    region.range = Range::between(begin, end);
    region.protection.read = line[0] == 'r';
    region.protection.write = line[1] == 'w';
    region.protection.execute = line[2] == 'x';
    region.shared = line[3] == 's';
    line.remove_prefix(5);
    if (!takeHex(line, ' ', region.fileOffset) || !takeHex(line, ':', major) ||
        !takeHex(line, ' ', minor))
        return false;
    region.device = ::makedev(static_cast<unsigned>(major), static_cast<unsigned>(minor));
    const std::size_t blank = std::min(line.find(' '), line.size());
    region.inode = parseDecimal(line.substr(0, blank)).value_or(0);
    line.remove_prefix(blank);
    const std::size_t name = line.find_first_not_of(' ');
    if (name != std::string_view::npos) region.name = unescapePath(line.substr(name));
    region.kind = kindOf(region);
    return begin < end;
}

}  // namespace

std::vector<Region> parseMaps(std::string_view text, Issues& issues) {
    std::vector<Region> regions;
    regions.reserve(static_cast<std::size_t>(std::ranges::count(text, '\n')));
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        Region region;
        const std::string_view line = text.substr(0, end);
        if (parseLine(line, region)) {
            // A list that changes while it is read may show a region twice.
            if (regions.empty() || regions.back().range.end() <= region.range.begin())
                regions.push_back(std::move(region));
        } else {
            issues.loss("a line of the list of mappings is not understood: " + printable(line));
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return regions;
}

void applyVmFlags(std::string_view flags, Region& region) {
    for (const std::string_view flag : splitBlanks(flags)) {
        if (flag == "dd")
            region.dontDump = true;
        else if (flag == "dc")
            region.dontFork = true;
        else if (flag == "wf")
            region.wipeOnFork = true;
        else if (flag == "io" || flag == "pf")
            region.io = true;
        else if (flag == "ht")
            region.hugeTlb = true;
    }
}

Result<void> addRegionFlags(const std::string& path, std::vector<Region>& regions) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return failErrno(errno, "cannot open", path);
    std::string buffer(std::size_t{256} << 10, '\0');
    std::size_t kept = 0;
    auto next = regions.begin();
    Region* region = nullptr;  // whose flags come next; none for one that we do not know
    const auto line = [&](std::string_view text) {
        if (text.starts_with("VmFlags:")) {
            if (region != nullptr) applyVmFlags(text.substr(8), *region);
            return;
        }
        // Headings begin with an address in lower-case hex; all other lines with a capital.
        if (text.empty() || (text[0] >= 'A' && text[0] <= 'Z')) return;
        std::uint64_t begin = 0;
        if (!takeHex(text, '-', begin)) return;
        while (next != regions.end() && next->range.begin() < begin)
            ++next;
        region = next != regions.end() && next->range.begin() == begin ? &*next : nullptr;
    };
    for (;;) {
        const ssize_t got = ::read(file.get(), buffer.data() + kept, buffer.size() - kept);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return failErrno(errno, "cannot read", path);
        if (got == 0) return {};
        std::string_view text(buffer.data(), kept + static_cast<std::size_t>(got));
        for (std::size_t end = 0; (end = text.find('\n')) != std::string_view::npos;) {
            line(text.substr(0, end));
            text.remove_prefix(end + 1);
        }
        kept = text.size();
        if (kept == buffer.size()) return fail(Errc::malformed, "a line without end", path);
        std::copy(text.begin(), text.end(), buffer.begin());
    }
}

}  // namespace icecore::live
