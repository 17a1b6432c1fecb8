#include "formats/kdump/split_files.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "bytes/flat_source.h"
#include "bytes/folder.h"
#include "formats/kdump/headers.h"

namespace icecore::kdump {

namespace {

/// Files of the folder that are looked at.
constexpr std::size_t maxNeighbours = 1000;

/// Who and when, and the shape of the bitmaps: the same in all files of one dump.
bool sameDump(const Header& a, const Header& b) {
    constexpr std::size_t names = offsetof(Header, padding);
    return std::memcmp(&a, &b, names) == 0 && a.seconds == b.seconds &&
           a.microseconds == b.microseconds && a.blockSize == b.blockSize &&
           a.subHeaderBlocks == b.subHeaderBlocks && a.bitmapBlocks == b.bitmapBlocks &&
           a.maxPage == b.maxPage;
}

}  // namespace

Range pagesOf(const Header& header, const SubHeader& sub, std::uint64_t endPage) {
    const bool wide = header.version >= 6;
    const std::uint64_t first = wide ? sub.firstPage64 : sub.firstPage;
    const std::uint64_t end = wide ? sub.endPage64 : sub.endPage;
    return Range::between(first, end).intersect(Range::between(0, endPage));
}

Result<SharedBytes> bitmapOf(const Source& file, const Header& header) {
    const std::uint64_t block = header.blockSize;
    const std::uint64_t half = std::uint64_t{header.bitmapBlocks} * block / 2;
    return file.load((1 + std::uint64_t{header.subHeaderBlocks}) * block + half, half);
}

std::vector<SplitFile> otherSplitFiles(const Source& file, const Header& header) {
    namespace fs = std::filesystem;
    std::vector<SplitFile> found;
    const fs::path own(file.name());
    const fs::path folder = folderOf(own);
    std::error_code problem;
    std::size_t looked = 0;
    for (const auto& entry : fs::directory_iterator(folder, problem)) {
        if (++looked > maxNeighbours) break;
        if (!entry.is_regular_file(problem)) continue;
        auto other = openMappedFile(entry.path());
        if (other && isFlattened(**other)) other = openFlattened(*std::move(other));
        if (!other) continue;
        const auto its = readHeaders(**other);
        if (its && sameDump(its->header, header) && its->sub.split != 0)
            found.push_back({*std::move(other), its->sub});
    }
    return found;
}

PartedPages::PartedPages(std::string name, std::uint64_t pageSize, std::vector<PagePart> parts)
    : name_(std::move(name)), pageSize_(pageSize), parts_(std::move(parts)) {
    std::ranges::sort(parts_, {}, [](const PagePart& part) { return part.pages.begin(); });
    for (const PagePart& part : parts_)
        size_ = std::max(size_, part.source->size());
}

const PagePart* PartedPages::partOf(std::uint64_t page) const {
    const auto part = std::ranges::find_if(
        parts_, [page](const PagePart& one) { return one.pages.contains(page); });
    return part == parts_.end() ? nullptr : &*part;
}

bool PartedPages::has(std::uint64_t page) const {
    const PagePart* const part = partOf(page);
    return part != nullptr && part->source->pages().has(page);
}

Result<std::size_t> PartedPages::read(std::uint64_t offset, std::span<std::byte> out) const {
    std::size_t done = 0;
    while (done < out.size() && offset < size_ && done < size_ - offset) {
        const std::uint64_t at = offset + done;
        const PagePart* const part = partOf(at / pageSize_);
        if (part == nullptr) return fail(Errc::not_found, "in no file of the dump", where(at));
        const auto want = static_cast<std::size_t>(
            std::min<std::uint64_t>(out.size() - done, part->pages.end() * pageSize_ - at));
        ASSIGN_OR_RETURN(const std::size_t got, part->source->read(at, out.subspan(done, want)));
        done += got;
        if (got < want) break;
    }
    return done;
}

}  // namespace icecore::kdump
