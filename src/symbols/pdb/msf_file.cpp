#include "symbols/pdb/msf_file.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "base/text.h"

namespace icecore {

namespace {

struct SuperBlock {
    char magic[32];
    Le32 pageSize, freePageMap, pageCount, directorySize, reserved;
    // After it: the numbers of the pages that list the directory's pages.
};
static_assert(sizeof(SuperBlock) == 52);

constexpr std::string_view magic7(
    "Microsoft C/C++ MSF 7.00\r\n\x1a"
    "DS\0\0\0",
    32);
constexpr std::string_view magic2("Microsoft C/C++ program database 2.00\r\n\x1aJG");
constexpr std::uint32_t absentStream = 0xffffffff;
constexpr std::uint32_t smallestPage = 512, largestPage = 1U << 16;

std::uint64_t pagesFor(std::uint64_t size, std::uint32_t pageSize) {
    return (size + pageSize - 1) / pageSize;
}

}  // namespace

Result<std::unique_ptr<const MsfFile>> MsfFile::open(std::shared_ptr<const Source> source) {
    std::unique_ptr<MsfFile> file(new MsfFile);
    file->source_ = std::move(source);
    file->bytes_ = file->source_->mapped();
    const std::string& name = file->name();
    const std::string_view text(reinterpret_cast<const char*>(file->bytes_.data()),
                                file->bytes_.size());
    if (text.starts_with(magic2))
        return fail(Errc::unsupported, "is a PDB of format 2.00, from before Visual Studio 2003",
                    name);
    if (!text.starts_with(magic7)) return fail(Errc::malformed, "is no PDB", name);
    if (text.size() < sizeof(SuperBlock))
        return fail(Errc::truncated, "the PDB ends in its first block", name);
    SuperBlock super;
    std::memcpy(&super, file->bytes_.data(), sizeof super);
    file->pageSize_ = super.pageSize;
    if (!std::has_single_bit(file->pageSize_) || file->pageSize_ < smallestPage ||
        file->pageSize_ > largestPage)
        return fail(Errc::malformed,
                    "says that its pages have " + std::to_string(file->pageSize_) + " bytes", name);
    // Pages beyond the end of the file are answered as missing, whatever the header counts.
    file->pageCount_ = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(super.pageCount, pagesFor(file->bytes_.size(), file->pageSize_)));
    TRY(file->readDirectory(super.directorySize, sizeof(SuperBlock)));
    return file;
}

std::span<const std::byte> MsfFile::page(std::uint32_t number) const {
    const std::uint64_t at = std::uint64_t{number} * pageSize_;
    if (number >= pageCount_ || at >= bytes_.size()) return {};
    return bytes_.subspan(at, std::min<std::uint64_t>(pageSize_, bytes_.size() - at));
}

Result<void> MsfFile::readDirectory(std::uint32_t size, std::uint64_t listOfLists) {
    if (size > bytes_.size())
        return fail(Errc::malformed, "its stream directory is larger than the file", name());
    // The directory is a stream whose page list is a stream itself, with its own list in the
    // first block.
    const std::uint64_t listSize = pagesFor(size, pageSize_) * 4;
    const std::uint64_t listPages = pagesFor(listSize, pageSize_);
    if (listOfLists + listPages * 4 > std::min<std::uint64_t>(pageSize_, bytes_.size()))
        return fail(Errc::malformed, "its stream directory does not fit its first block", name());
    const MsfStream lists(this, absentStream, listSize, bytes_.subspan(listOfLists, listPages * 4));
    const SharedBytes list = lists.loadAll();
    if (list.size() < listSize)
        return fail(Errc::truncated, "the list of its directory's pages is cut short", name());
    const MsfStream stored(this, absentStream, size, list.span());
    directory_ = stored.loadAll();
    // A view into `list` may have been kept; the directory itself must not depend on it.
    if (directory_.size() < size || size < 4)
        return fail(Errc::truncated, "its stream directory is cut short", name());

    const std::byte* bytes = directory_.span().data();
    const auto count = loadInteger<std::uint32_t>(bytes);
    if (count > (size - 4) / 4)
        return fail(Errc::malformed, "counts more streams than its directory can hold", name());
    starts_.reserve(count);
    std::uint64_t at = 4 + std::uint64_t{count} * 4;
    for (std::uint32_t i = 0; i < count; ++i) {
        starts_.push_back(static_cast<std::uint32_t>(std::min<std::uint64_t>(at, size)));
        const auto streamSize = loadInteger<std::uint32_t>(bytes + 4 + i * 4);
        if (streamSize != absentStream) at += pagesFor(streamSize, pageSize_) * 4;
    }
    return {};
}

MsfStream MsfFile::stream(std::uint32_t number) const {
    if (number >= starts_.size()) return {};
    const std::span<const std::byte> all = directory_.span();
    const auto size = loadInteger<std::uint32_t>(all.data() + 4 + std::size_t{number} * 4);
    if (size == absentStream) return {};
    const std::uint64_t wanted = pagesFor(size, pageSize_) * 4;
    const auto list = all.subspan(starts_[number]);
    if (list.size() < wanted)
        return {this, number, std::min<std::uint64_t>(size, list.size() / 4 * pageSize_), list};
    return {this, number, size, list.first(wanted)};
}

std::span<const std::byte> MsfStream::window(std::uint64_t offset, std::uint64_t most) const {
    if (offset >= size_) return {};
    const std::uint32_t pageSize = file_->pageSize_;
    std::uint64_t index = offset / pageSize;
    const std::uint64_t into = offset % pageSize;
    const auto number = loadInteger<std::uint32_t>(pages_.data() + index * 4);
    const auto first = file_->page(number);
    if (into >= first.size()) return {};
    std::uint64_t size = first.size() - into;
    const std::uint64_t count = pages_.size() / 4;
    // As long as pages follow one another they are one piece.
    most = std::min(most, size_ - offset);
    for (std::uint32_t next = number + 1; size < most; ++next) {
        ++index;
        if (index >= count || loadInteger<std::uint32_t>(pages_.data() + index * 4) != next) break;
        const auto more = file_->page(next);
        if (more.empty()) break;
        size += more.size();
    }
    return {first.data() + into, static_cast<std::size_t>(std::min(size, most))};
}

std::size_t MsfStream::read(std::uint64_t offset, std::span<std::byte> out) const {
    std::size_t done = 0;
    while (done < out.size() && offset + done < size_) {
        const std::uint64_t at = offset + done;
        const std::uint64_t into = at % file_->pageSize_;
        const auto number = loadInteger<std::uint32_t>(pages_.data() + at / file_->pageSize_ * 4);
        const auto page = file_->page(number);
        if (into >= page.size()) break;
        const std::size_t count = static_cast<std::size_t>(
            std::min<std::uint64_t>({out.size() - done, page.size() - into, size_ - at}));
        std::memcpy(out.data() + done, page.data() + into, count);
        done += count;
    }
    return done;
}

SharedBytes MsfStream::load(std::uint64_t offset, std::uint64_t size) const {
    if (offset >= size_) return {};
    size = std::min(size, size_ - offset);
    const auto piece = window(offset, size);
    if (piece.size() >= size) return {file_->source_, piece.first(static_cast<std::size_t>(size))};
    // Every page of a stream takes a page of the file, unless a damaged list names one twice.
    size = std::min<std::uint64_t>(size, file_->bytes_.size());
    std::vector<std::byte> copy(static_cast<std::size_t>(size));
    copy.resize(read(offset, copy));
    return SharedBytes::own(std::move(copy));
}

std::string MsfStream::where(std::uint64_t offset) const {
    if (file_ == nullptr) return {};
    return file_->name() + ", stream " + std::to_string(number_) + ", at " + hex(offset);
}

}  // namespace icecore
