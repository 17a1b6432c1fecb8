#include "live/ram/offset_memory_linux.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "base/text.h"
#include "bytes/read_at_posix.h"

namespace icecore::ram {

namespace {

constexpr std::uint64_t pageSize = 4096;
// Bits of /proc/kpageflags (Linux' uapi/linux/kernel-page-flags.h).
constexpr std::uint64_t poisoned = std::uint64_t{1} << 19, noPage = std::uint64_t{1} << 20,
                        offline = std::uint64_t{1} << 23;

std::string systemText(int error) {
    return std::generic_category().message(error);
}

}  // namespace

std::uint64_t PageFlags::readableBytes(Range range) const {
    if (!file_.valid()) return range.size();
    std::array<std::byte, 4096> raw{};
    for (std::uint64_t at = range.begin(); at < range.end();) {
        const std::uint64_t page = at / pageSize;
        const std::uint64_t left = (range.end() - 1) / pageSize - page + 1;
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left * 8, raw.size()));
        const ssize_t got = ::pread(file_.get(), raw.data(), want, static_cast<off_t>(page * 8));
        if (got < 8) return range.size();  // not told: as if nothing was known
        for (std::size_t i = 0; i + 8 <= static_cast<std::size_t>(got); i += 8) {
            const auto flags = loadInteger<std::uint64_t>(raw.data() + i);
            if ((flags & (poisoned | noPage | offline)) == 0) continue;
            const std::uint64_t bad = (page + i / 8) * pageSize;
            return bad <= range.begin() ? 0 : bad - range.begin();
        }
        at = (page + static_cast<std::uint64_t>(got) / 8) * pageSize;
    }
    return range.size();
}

ReadOutcome OffsetMemory::read(std::uint64_t address, std::span<std::byte> out) const {
    std::size_t done = 0;
    while (done < out.size()) {
        const std::uint64_t at = address + done;
        const auto* entry = map_.find(at);
        if (entry == nullptr) {
            const bool bad = std::ranges::any_of(
                absent_, [at](const Range& range) { return range.contains(at); });
            return {done, bad ? Absence::unreadable : Absence::not_mapped};
        }
        auto want = static_cast<std::size_t>(
            std::min<std::uint64_t>({out.size() - done, entry->range.end() - at, step_}));
        want = static_cast<std::size_t>(flags_.readableBytes(Range::ofSize(at, want)));
        if (want == 0) return {done, Absence::unreadable};
        const std::uint64_t offset = entry->value + (at - entry->range.begin());
        const std::size_t got = readAt(file_.get(), offset, out.subspan(done, want)).bytes;
        done += got;
        if (got < want) return {done, Absence::unreadable};
    }
    return {done, Absence::none};
}

std::vector<Extent> OffsetMemory::extents(Range within) const {
    std::vector<Extent> extents;
    for (const auto& entry : map_.entries()) {
        const Range part = entry.range.intersect(within);
        if (!part.empty()) extents.push_back({part, Absence::none, false});
    }
    for (const Range& range : absent_) {
        const Range part = range.intersect(within);
        if (!part.empty()) extents.push_back({part, Absence::unreadable, false});
    }
    std::ranges::sort(extents, {}, [](const Extent& extent) { return extent.range.begin(); });
    return extents;
}

std::string OffsetMemory::explain(std::uint64_t address) const {
    const auto* entry = map_.find(address);
    if (entry == nullptr) return "not in " + name_;
    if (flags_.readableBytes(Range::ofSize(address, 1)) == 0)
        return "the kernel holds the page back (poisoned, offline or missing)";
    const std::uint64_t offset = entry->value + (address - entry->range.begin());
    std::array<std::byte, 1> one{};
    const auto [bytes, error] = readAt(file_.get(), offset, one);
    if (error != 0) return name_ + ": " + systemText(error);
    if (bytes == 0) return name_ + " ends before it";
    return name_ + " at " + hex(offset);
}

}  // namespace icecore::ram
