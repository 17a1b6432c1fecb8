#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "base/text.h"
#include "bytes/block_source.h"
#include "bytes/cursor.h"
#include "formats/image/image.h"
#include "formats/kdump/flat_source.h"
#include "formats/kdump/kdump_parts.h"
#include "formats/kdump/layout.h"
#include "memory/segment_space.h"

namespace icecore::kdump {

namespace {

using image::startSnapshot;

/// More runs of pages than any machine's memory is in; their list would take gigabytes.
constexpr std::size_t maxRuns = std::size_t{1} << 23;
constexpr std::uint64_t maxNotes = std::uint64_t{64} << 20;
/// Descriptors looked at to tell whether the file is whole.
constexpr std::uint64_t checkedDescriptors = 4096;

template <class T>
Result<T> readStructure(const Source& source, std::uint64_t at, std::string_view what) {
    std::array<std::byte, sizeof(T)> raw{};
    ASSIGN_OR_RETURN(const std::size_t got, source.read(at, raw));
    if (got < raw.size())
        return fail(Errc::truncated, std::string(what) + " is cut off", source.where(at));
    return Cursor(ByteView(raw)).structure<T>();
}

/// The bits of the pages in the file, and which descriptor each has.
class PageBits {
public:
    PageBits() = default;
    /// Pages [first, end) of the bitmap count; end is at most eight times the bytes.
    PageBits(SharedBytes bitmap, std::uint64_t first, std::uint64_t end)
        : bitmap_(std::move(bitmap)), first_(first), end_(end) {
        for (std::uint64_t byte = 0; byte < bitmap_.size(); ++byte) {
            if (byte % bytesPerCount == 0) before_.push_back(total_);
            total_ += static_cast<unsigned>(std::popcount(bits(byte)));
        }
    }
    [[nodiscard]] bool has(std::uint64_t page) const {
        return page >= first_ && page < end_ && ((bits(page / 8) >> (page % 8)) & 1U) != 0;
    }
    /// How many pages of the file stand before this one.
    [[nodiscard]] std::uint64_t rank(std::uint64_t page) const {
        const std::uint64_t byte = page / 8;
        const std::uint64_t block = byte / bytesPerCount;
        std::uint64_t sum = before_[static_cast<std::size_t>(block)];
        for (std::uint64_t at = block * bytesPerCount; at < byte; ++at)
            sum += static_cast<unsigned>(std::popcount(bits(at)));
        const unsigned below = bits(byte) & ((1U << (page % 8)) - 1U);
        return sum + static_cast<unsigned>(std::popcount(below));
    }
    [[nodiscard]] std::uint64_t total() const { return total_; }

private:
    static constexpr std::uint64_t bytesPerCount = 64;
    /// Byte `byte` without pages that do not count.
    [[nodiscard]] unsigned bits(std::uint64_t byte) const {
        unsigned value = std::to_integer<unsigned>(bitmap_.span()[static_cast<std::size_t>(byte)]);
        const std::uint64_t page = byte * 8;
        if (page < first_) {
            if (first_ - page >= 8) return 0;
            value &= 0xffU << (first_ - page);
        }
        if (page + 8 > end_) {
            if (page >= end_) return 0;
            value &= (1U << (end_ - page)) - 1U;
        }
        return value & 0xffU;
    }
    SharedBytes bitmap_;
    std::uint64_t first_ = 0, end_ = 0;
    std::vector<std::uint64_t> before_;  ///< pages before each block of bytes
    std::uint64_t total_ = 0;
};

struct Shape {
    std::uint64_t blockSize = 0;
    std::uint64_t descriptors = 0;  ///< offset of the first one
    std::uint64_t endPage = 0;
};

/// Physical addresses as offsets: each page is a block.
class PageSource final : public BlockSource {
public:
    PageSource(std::shared_ptr<const Source> file, const Shape& shape, PageBits pages)
        : file_(std::move(file)), shape_(shape), pages_(std::move(pages)) {}
    [[nodiscard]] const std::string& name() const override { return file_->name(); }
    [[nodiscard]] std::uint64_t size() const override { return shape_.endPage * shape_.blockSize; }

protected:
    [[nodiscard]] Result<Place> locate(std::uint64_t offset) const override {
        const std::uint64_t page = offset / shape_.blockSize;
        ASSIGN_OR_RETURN(const PageDescriptor descriptor, descriptorOf(page));
        // Pages of the same content may share their bytes: all zero pages do.
        return Place{descriptor.offset, Range::ofSize(page * shape_.blockSize, shape_.blockSize)};
    }
    [[nodiscard]] Result<Bytes> unpack(const Place& place) const override {
        ASSIGN_OR_RETURN(const PageDescriptor descriptor,
                         descriptorOf(place.content.begin() / shape_.blockSize));
        if (descriptor.size > 2 * shape_.blockSize)
            return fail(Errc::malformed, "a page packed into more bytes than two",
                        file_->where(descriptor.offset));
        ASSIGN_OR_RETURN(const SharedBytes packed, file_->load(descriptor.offset, descriptor.size));
        Bytes bytes(static_cast<std::size_t>(shape_.blockSize));
        ASSIGN_OR_RETURN(const std::size_t got,
                         unpackBlock(codecOf(descriptor.flags), packed.span(), bytes));
        if (got != bytes.size())
            return fail(Errc::malformed, "a page that is not a whole one",
                        file_->where(descriptor.offset));
        return bytes;
    }

private:
    [[nodiscard]] Result<PageDescriptor> descriptorOf(std::uint64_t page) const {
        if (!pages_.has(page))
            return fail(Errc::internal, "a page that is not in the file", hex(page));
        return readStructure<PageDescriptor>(
            *file_, shape_.descriptors + pages_.rank(page) * sizeof(PageDescriptor),
            "the table of pages");
    }
    std::shared_ptr<const Source> file_;
    Shape shape_;
    PageBits pages_;
};

class Reader {
public:
    Reader(std::shared_ptr<const Source> file, Snapshot& snapshot)
        : file_(std::move(file)), snapshot_(snapshot) {}

    Result<void> run() {
        ASSIGN_OR_RETURN(header_, readStructure<Header>(*file_, 0, "the header"));
        const std::uint64_t block = header_.blockSize;
        if (std::string_view(header_.signature, sizeof header_.signature) != signature)
            return fail(Errc::malformed, "no kdump file", file_->name());
        if (!std::has_single_bit(block) || block < 4096 || block > 65536)
            return fail(Errc::malformed, "pages of " + std::to_string(block) + " bytes",
                        file_->where(offsetof(Header, blockSize)));
        shape_.blockSize = block;
        ASSIGN_OR_RETURN(sub_, readStructure<SubHeader>(*file_, block, "the sub-header"));
        describe();
        TRY(readNotes());
        return readPages();
    }

private:
    static std::string text(std::span<const char> field) {
        return {field.begin(), std::ranges::find(field, '\0')};
    }

    void describe() {
        SystemInfo& system = snapshot_.machine->system;
        if (text(header_.systemName) == "Linux") {
            system.os = Os::linux_os;
            system.version = text(header_.release);
        }
        if (text(header_.machine) == "x86_64") system.arch = Arch::x86_64;
        if (text(header_.machine) == "aarch64") system.arch = Arch::arm64;
        system.hostName = text(header_.nodeName);
        if (header_.seconds > 0 && header_.seconds < UINT32_MAX)
            snapshot_.provenance.time =
                TimePoint(std::chrono::seconds(static_cast<std::int64_t>(header_.seconds)));
        if ((header_.status & incomplete) != 0)
            snapshot_.issues.loss("marked as incomplete by whoever wrote it");
        if ((sub_.dumpLevel & levelZero) != 0)
            snapshot_.issues.note(
                "zero pages were left out: what is not in the file may have been zero");
    }

    Result<void> readNotes() {
        if (header_.version < 3) return {};
        const auto load = [&](std::uint64_t offset,
                              std::uint64_t size) -> std::optional<SharedBytes> {
            if (offset == 0 || size == 0) return std::nullopt;
            auto bytes = size > maxNotes ? fail(Errc::limit, "more notes than any machine has",
                                                file_->where(offset))
                                         : file_->load(offset, size);
            if (bytes) return *std::move(bytes);
            snapshot_.issues.loss(bytes.error());
            return std::nullopt;
        };
        if (header_.version >= 4) {
            if (auto notes = load(sub_.notesOffset, sub_.notesSize))
                image::takeNotes(snapshot_, *notes, file_->name());
        }
        if (snapshot_.attachment(image::kernelInfoAttachment) == nullptr) {
            if (auto info = load(sub_.kernelInfoOffset, sub_.kernelInfoSize))
                image::setKernelInfo(snapshot_, *std::move(info));
        }
        return {};
    }

    Result<void> readPages() {
        const std::uint64_t block = shape_.blockSize;
        const std::uint64_t bitmapBytes = std::uint64_t{header_.bitmapBlocks} * block;
        const std::uint64_t bitmapAt = (1 + std::uint64_t{header_.subHeaderBlocks}) * block;
        const std::uint64_t half = bitmapBytes / 2;
        shape_.descriptors = bitmapAt + bitmapBytes;
        std::uint64_t pages = header_.maxPage;
        if (header_.version >= 6 && sub_.maxPage64 != 0) pages = sub_.maxPage64;
        shape_.endPage = std::min({pages, half * 8, image::physicalEnd / block});
        if (shape_.endPage < pages)
            snapshot_.issues.loss("the bitmap is shorter than the memory it speaks of",
                                  file_->where(bitmapAt));
        ASSIGN_OR_RETURN(const SharedBytes there, file_->load(bitmapAt, half));
        ASSIGN_OR_RETURN(const SharedBytes stored, file_->load(bitmapAt + half, half));
        std::uint64_t first = 0;
        std::uint64_t end = shape_.endPage;
        if (sub_.split != 0 && header_.version >= 2) {
            const bool wide = header_.version >= 6;
            first = wide ? sub_.firstPage64 : sub_.firstPage;
            end = std::min<std::uint64_t>(end, wide ? sub_.endPage64 : sub_.endPage);
            snapshot_.issues.loss("one file of several: it has only the pages " + hex(first) +
                                  " to " + hex(end));
        }
        PageBits bits(stored, first, end);
        const PageBits known(there, 0, shape_.endPage);
        checkWhole(bits);
        auto source = std::make_shared<PageSource>(file_, shape_, bits);
        SegmentSpaceBuilder memory(source);
        std::size_t runs = 0;
        // 0 nothing, 1 known but not stored, 2 stored
        const auto kind = [&](std::uint64_t page) {
            return bits.has(page) ? 2 : known.has(page) ? 1 : 0;
        };
        for (std::uint64_t page = 0; page < shape_.endPage;) {
            if (page % 64 == 0 && nothingIn(there, page) && nothingIn(stored, page)) {
                page += 64;
                continue;
            }
            const int what = kind(page);
            const std::uint64_t from = page;
            while (page < shape_.endPage && kind(page) == what &&
                   !(what == 0 && page % 64 == 0 && page > from))
                ++page;
            const Range range = Range::between(from * block, page * block);
            if (what == 2) memory.addStored(range, range.begin());
            if (what == 1) memory.addAbsent(range, Absence::not_captured);
            if (what != 0 && ++runs > maxRuns)
                return fail(Errc::limit, "memory in more pieces than can be listed", file_->name());
        }
        snapshot_.machine->physical = memory.build();
        return {};
    }

    static bool nothingIn(const SharedBytes& bitmap, std::uint64_t page) {
        const auto at = static_cast<std::size_t>(page / 8);
        return at + 8 <= bitmap.size() &&
               loadInteger<std::uint64_t>(bitmap.span().data() + at) == 0;
    }

    /// Says so where the table of pages or the last pages lie beyond the file's end.
    void checkWhole(const PageBits& bits) {
        const std::uint64_t size = file_->size();
        if (bits.total() == 0) return;
        const std::uint64_t room =
            shape_.descriptors < size ? (size - shape_.descriptors) / sizeof(PageDescriptor) : 0;
        if (bits.total() > room) {
            snapshot_.issues.loss("the table of pages is cut off",
                                  file_->where(shape_.descriptors));
            return;
        }
        const std::uint64_t count = std::min(bits.total(), checkedDescriptors);
        const auto last =
            file_->load(shape_.descriptors + (bits.total() - count) * sizeof(PageDescriptor),
                        count * sizeof(PageDescriptor));
        if (!last) return snapshot_.issues.loss(last.error());
        Cursor cursor{ByteView(last->span())};
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto descriptor = cursor.structure<PageDescriptor>();
            const auto end = checkedAdd(descriptor.offset, descriptor.size);
            if (end && *end <= size) continue;
            snapshot_.issues.loss("pages lie beyond the end of the file",
                                  file_->where(descriptor.offset));
            return;
        }
    }

    std::shared_ptr<const Source> file_;
    Snapshot& snapshot_;
    Header header_{};
    SubHeader sub_{};
    Shape shape_;
};

}  // namespace

bool probe(const Source& source) {
    if (isFlattened(source)) return true;
    std::array<std::byte, signature.size()> start{};
    const auto got = source.read(0, start);
    return got && *got == start.size() &&
           std::string_view(reinterpret_cast<const char*>(start.data()), start.size()) == signature;
}

Result<Snapshot> open(std::shared_ptr<const Source> source) {
    Snapshot snapshot = startSnapshot(*source, "kdump");
    if (isFlattened(*source)) {
        bool cut = false;
        ASSIGN_OR_RETURN(source, openFlattened(std::move(source), cut));
        snapshot.provenance.type = "flattened";
        if (cut) snapshot.issues.loss("the flattened file ends before its end mark");
    }
    TRY(Reader(std::move(source), snapshot).run());
    return snapshot;
}

}  // namespace icecore::kdump
