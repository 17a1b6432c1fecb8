#include "live/linux/kept_memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "bytes/read_at_posix.h"
#include "live/linux/proc.h"

namespace icecore::live {

Result<void> KeptMemory::append(std::span<const std::byte> bytes) {
    if (!file_.valid() && memory_.size() + bytes.size() <= memoryLimit) {
        memory_.insert(memory_.end(), bytes.begin(), bytes.end());
        size_ += bytes.size();
        return {};
    }
    if (!file_.valid()) {
        std::error_code none;
        const auto folder = std::filesystem::temp_directory_path(none).string();
        file_ = Descriptor(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
        if (!file_.valid()) {  // a file system without O_TMPFILE
            std::string name = folder + "/icecore-XXXXXX";
            file_ = Descriptor(::mkostemp(name.data(), O_CLOEXEC));
            if (!file_.valid()) return failErrno(errno, "cannot make a temporary file", folder);
            ::unlink(name.c_str());
        }
    }
    while (!bytes.empty()) {
        const ssize_t put = ::pwrite(file_.get(), bytes.data(), bytes.size(),
                                     static_cast<off_t>(size_ - memory_.size()));
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return failErrno(errno, "cannot write to a temporary file");
        bytes = bytes.subspan(static_cast<std::size_t>(put));
        size_ += static_cast<std::uint64_t>(put);
    }
    return {};
}

Result<void> KeptMemory::keep(Range range, const AddressSpace& memory) {
    for (const Extent& extent : memory.extents(range)) {
        if (extent.absence == Absence::none && !extent.zero) TRY(keepExtent(extent.range, memory));
    }
    return {};
}

Result<void> KeptMemory::keepExtent(Range range, const AddressSpace& memory) {
    std::vector<std::byte> buffer(
        static_cast<std::size_t>(std::min<std::uint64_t>(range.size(), std::uint64_t{1} << 20)));
    std::uint64_t at = range.begin();
    while (at < range.end()) {
        const auto want =
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), range.end() - at));
        const std::size_t got = memory.read(at, std::span(buffer).first(want)).bytes;
        if (got > 0) {
            const std::uint64_t offset = size_;
            TRY(append(std::span(buffer).first(got)));
            map_.add(Range::ofSize(at, got), offset);
        }
        at += got;
        if (got < want)
            at = alignDown(at, pageSize()) + pageSize();  // over the page that cannot be read
    }
    return {};
}

std::vector<Range> KeptMemory::within(Range within) const {
    std::vector<Range> ranges;
    const auto* end = map_.entries().data() + map_.size();
    for (const auto* entry = map_.findAtOrAfter(within.begin());
         entry != nullptr && entry != end && entry->range.begin() < within.end(); ++entry)
        ranges.push_back(entry->range.intersect(within));
    return ranges;
}

std::size_t KeptMemory::read(std::uint64_t address, std::span<std::byte> out) const {
    std::size_t done = 0;
    while (done < out.size()) {
        const auto* entry = map_.find(address + done);
        if (entry == nullptr) break;
        const std::uint64_t inside = address + done - entry->range.begin();
        const std::uint64_t offset = entry->value + inside;
        const auto want = static_cast<std::size_t>(
            std::min<std::uint64_t>(out.size() - done, entry->range.size() - inside));
        // A copy begins in memory or in the file and never lies across.
        if (offset < memory_.size()) {
            std::memcpy(out.data() + done, memory_.data() + offset, want);
            done += want;
            continue;
        }
        const std::size_t got =
            readAt(file_.get(), offset - memory_.size(), out.subspan(done, want)).bytes;
        done += got;
        if (got < want) break;
    }
    return done;
}

}  // namespace icecore::live
