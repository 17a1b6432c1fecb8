#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"
#include "bytes/cursor.h"
#include "formats/image/image.h"
#include "formats/kdump/headers.h"
#include "formats/kdump/kdump_parts.h"
#include "formats/kdump/layout.h"
#include "formats/kdump/page_source.h"
#include "formats/kdump/split_files.h"
#include "memory/segment_space.h"

namespace icecore::kdump {

namespace {

using image::startSnapshot;

/// More runs of pages than any machine's memory is in; their list would take gigabytes.
constexpr std::size_t maxRuns = std::size_t{1} << 23;
constexpr std::uint64_t maxNotes = std::uint64_t{64} << 20;
/// Descriptors looked at to tell whether the file is whole.
constexpr std::uint64_t checkedDescriptors = 4096;

class Reader {
public:
    Reader(std::shared_ptr<const Source> file, Snapshot& snapshot)
        : file_(std::move(file)), snapshot_(snapshot) {}

    Result<void> run() {
        ASSIGN_OR_RETURN(const Headers headers, readHeaders(*file_));
        header_ = headers.header;
        sub_ = headers.sub;
        shape_.blockSize = header_.blockSize;
        describe();
        TRY(readNotes());
        return readPages();
    }
    /// Of an unfinished file: where its last whole page ends. After `run`.
    [[nodiscard]] std::uint64_t wholeEnd() const { return wholeEnd_; }

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
        const std::string machine = text(header_.machine);
        if (machine == "x86_64") system.arch = Arch::x86_64;
        if (machine.size() == 4 && machine.starts_with('i') && machine.ends_with("86"))
            system.arch = Arch::x86;
        if (machine.starts_with("arm")) system.arch = Arch::arm;
        if (machine == "aarch64") system.arch = Arch::arm64;
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
        const bool split = sub_.split != 0 && header_.version >= 2;
        const Range own =
            split ? pagesOf(header_, sub_, shape_.endPage) : Range::between(0, shape_.endPage);
        PageBits bits(stored, own.begin(), own.end());
        const PageBits known(there, 0, shape_.endPage);
        checkWhole(bits);
        // What was to come behind the last page that an unfinished file has is cut off.
        std::uint64_t reached = shape_.endPage;
        if ((header_.status & incomplete) != 0) {
            reached = bits.endOfFirst(wholePages(bits));
            bits =
                PageBits(stored, own.begin(), std::max(own.begin(), std::min(own.end(), reached)));
        }
        auto first = std::make_shared<PageSource>(file_, shape_, std::move(bits));
        std::vector<PagePart> parts = {{own, std::move(first)}};
        const PageBits all(stored, 0, shape_.endPage);
        if (split) addOthers(parts);
        const auto source = std::make_shared<const PartedPages>(file_->name(), block, parts);
        SegmentSpaceBuilder memory(source);
        std::size_t runs = 0;
        // 0 nothing, 1 known but not stored, 2 stored, 3 cut off, or in a file that is not there
        const auto kind = [&](std::uint64_t page) {
            if (source->has(page)) return 2;
            if (all.has(page)) return 3;
            return !known.has(page) ? 0 : page < reached ? 1 : 3;
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
            if (what == 3) memory.addAbsent(range, Absence::truncated);
            if (what != 0 && ++runs > maxRuns)
                return fail(Errc::limit, "memory in more pieces than can be listed", file_->name());
        }
        snapshot_.machine->physical = memory.build();
        return {};
    }

    /// The other files of the same dump, where they lie beside this one.
    void addOthers(std::vector<PagePart>& parts) {
        for (const SplitFile& other : otherSplitFiles(*file_, header_)) {
            const Range pages = pagesOf(header_, other.sub, shape_.endPage);
            const auto stored = bitmapOf(*other.file, header_);
            const bool again = std::ranges::any_of(
                parts, [&](const PagePart& part) { return part.pages.overlaps(pages); });
            if (again || pages.empty() || !stored) continue;
            parts.push_back(
                {pages, std::make_shared<PageSource>(
                            other.file, shape_, PageBits(*stored, pages.begin(), pages.end()))});
        }
        RangeSet covered;
        for (const PagePart& part : parts)
            covered.add(part.pages);
        const auto missing = covered.missing(Range::between(0, shape_.endPage));
        snapshot_.issues.note("one of " + std::to_string(parts.size()) +
                              " files of a dump that was written in parts");
        for (const Range& range : missing)
            snapshot_.issues.loss("the file with the pages " + hex(range.begin()) + " to " +
                                  hex(range.end()) + " is not beside it");
    }

    static bool nothingIn(const SharedBytes& bitmap, std::uint64_t page) {
        const auto at = static_cast<std::size_t>(page / 8);
        return at + 8 <= bitmap.size() &&
               loadInteger<std::uint64_t>(bitmap.span().data() + at) == 0;
    }

    /// How many pages, from the first one on, an unfinished file has whole: their descriptors were
    /// written, and their bytes lie within it.
    [[nodiscard]] std::uint64_t wholePages(const PageBits& bits) {
        std::vector<std::byte> raw(checkedDescriptors * sizeof(PageDescriptor));
        std::uint64_t whole = 0;
        while (whole < bits.total()) {
            const auto got = file_->read(shape_.descriptors + whole * sizeof(PageDescriptor), raw);
            const std::uint64_t count = std::min<std::uint64_t>(
                got ? *got / sizeof(PageDescriptor) : 0, bits.total() - whole);
            if (count == 0) return whole;
            Cursor cursor{ByteView(raw)};
            for (std::uint64_t i = 0; i < count; ++i, ++whole) {
                const auto descriptor = cursor.structure<PageDescriptor>();
                const auto end = checkedAdd(descriptor.offset, descriptor.size);
                if (descriptor.offset == 0 || !end || *end > file_->size()) return whole;
                wholeEnd_ = std::max(wholeEnd_, *end);
            }
        }
        return whole;
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
    std::uint64_t wholeEnd_ = 0;
};

}  // namespace

bool probe(const Source& source) {
    std::array<std::byte, signature.size()> start{};
    const auto got = source.read(0, start);
    return got && *got == start.size() &&
           std::string_view(reinterpret_cast<const char*>(start.data()), start.size()) == signature;
}

Result<Snapshot> open(std::shared_ptr<const Source> source) {
    Snapshot snapshot = startSnapshot(*source, "kdump");
    TRY(Reader(std::move(source), snapshot).run());
    return snapshot;
}

std::uint64_t wholeBytes(const std::shared_ptr<const Source>& begun) {
    Snapshot snapshot = startSnapshot(*begun, "kdump");
    Reader reader(begun, snapshot);
    return reader.run() ? reader.wholeEnd() : 0;
}

}  // namespace icecore::kdump
