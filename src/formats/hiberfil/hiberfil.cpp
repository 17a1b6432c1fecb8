#include "formats/hiberfil/hiberfil.h"

#include <algorithm>

#include "base/text.h"
#include "bytes/cursor.h"
#include "formats/hiberfil/layout.h"
#include "formats/hiberfil/set_source.h"
#include "formats/image/image.h"
#include "formats/minidump/filetime.h"
#include "memory/segment_space.h"

namespace icecore {

namespace {

using namespace hiberfil;

constexpr std::size_t headerSize = 4096;
/// Of a terabyte.
constexpr std::size_t mostSets = std::size_t{1} << 24;

std::string_view markOf(const SharedBytes& header) {
    return header.text().substr(0, 4);
}

template <std::size_t N>
bool isOneOf(const std::array<std::string_view, N>& marks, std::string_view mark) {
    return std::ranges::find(marks, mark) != marks.end();
}

const Layout* layoutOf(const SharedBytes& header) {
    const auto length = loadInteger<std::uint32_t>(header.span().data() + lengthAt);
    const auto found = std::ranges::find(layouts, length, &Layout::length);
    return found == layouts.end() ? nullptr : &*found;
}

bool probe(const Source& source) {
    const auto header = source.load(0, std::min<std::uint64_t>(source.size(), 16));
    return header && header->size() == 16 &&
           (isOneOf(freshMarks, markOf(*header)) || isOneOf(usedMarks, markOf(*header)));
}

/// Finds the sets and where their pages belong.
class Reader {
public:
    Reader(std::shared_ptr<const Source> file, bool wide, Snapshot& snapshot)
        : file_(std::move(file)), wide_(wide), snapshot_(snapshot) {}

    /// The sets from `page` of the file on, until they have held `count` pages.
    void section(std::string_view name, std::uint64_t page, std::uint64_t count) {
        if (count == 0) return;
        if (page == 0 || page > file_->size() / pageSize) {
            snapshot_.issues.loss("the " + std::string(name) + " lie beyond the file's end");
            return;
        }
        std::uint64_t at = page * pageSize;
        for (std::uint64_t seen = 0; seen < count;) {
            const auto pages = set(at);
            if (!pages) {
                snapshot_.issues.loss(pages.error());
                snapshot_.issues.loss("of the " + std::string(name) + " " + std::to_string(seen) +
                                      " of " + std::to_string(count) + " were found");
                return;
            }
            seen += *pages;
        }
    }

    Result<std::shared_ptr<const AddressSpace>> build() {
        if (sets_.empty()) return fail(Errc::truncated, "holds no pages of memory", file_->name());
        SegmentSpaceBuilder memory(std::make_shared<SetSource>(file_, std::move(sets_)));
        memory.reserve(runs_.size());
        for (const Run& run : runs_)
            memory.addStored(run.physical, run.content);
        std::size_t overlaps = 0;
        auto space = memory.build(&overlaps);
        if (overlaps > 0)
            snapshot_.issues.note("pages are there more than once; the kernel's count");
        return space;
    }

private:
    struct Run {
        Range physical;
        std::uint64_t content = 0;
    };

    /// Reads the head of a set; `at` goes behind it. How many pages it holds.
    Result<std::uint64_t> set(std::uint64_t& at) {
        const std::uint64_t here = at;
        const std::size_t descriptorSize = wide_ ? 8 : 4;
        const std::uint64_t left = here < file_->size() ? file_->size() - here : 0;
        ASSIGN_OR_RETURN(
            const SharedBytes head,
            file_->load(here, std::min<std::uint64_t>(left, 4 + mostPagesInSet * descriptorSize)));
        Cursor cursor{ByteView(head.span(), file_->name(), here)};
        const std::uint32_t word = cursor.u32();
        const std::uint32_t descriptors = word & descriptorsMask;
        TRY(cursor.status("a set of pages"));
        if (descriptors == 0 || descriptors > mostPagesInSet)
            return fail(Errc::malformed, "no set of pages where one should be", file_->where(here));
        Set set;
        set.packed = (word >> packedShift) & packedMask;
        set.huffman = (word & huffman) != 0;
        std::uint64_t content = sets_.size() * SetSource::slot;
        std::uint64_t pages = 0;
        std::vector<Run> runs;
        for (std::uint32_t i = 0; i < descriptors; ++i) {
            const std::uint64_t descriptor = cursor.unsignedOf(descriptorSize);
            const std::uint64_t first = descriptor >> runBits;
            const std::uint64_t count = (descriptor & ((1U << runBits) - 1)) + 1;
            if (first >= image::physicalEnd / pageSize || pages + count > mostPagesInSet)
                return fail(Errc::malformed, "a set of pages that cannot be", file_->where(here));
            runs.push_back({Range::ofSize(first * pageSize, count * pageSize), content});
            content += count * pageSize;
            pages += count;
        }
        TRY(cursor.status("a set of pages"));
        set.pages = static_cast<std::uint8_t>(pages);
        set.file = here + cursor.position();
        if (set.packed == 0 || set.packed > file_->size() - set.file)
            return fail(Errc::truncated, "a set of pages is cut off", file_->where(here));
        if (sets_.size() == mostSets)
            return fail(Errc::limit, "more sets of pages than can be listed", file_->where(here));
        sets_.push_back(set);
        runs_.insert(runs_.end(), runs.begin(), runs.end());
        at = set.file + set.packed;
        return pages;
    }

    std::shared_ptr<const Source> file_;
    bool wide_;
    Snapshot& snapshot_;
    std::vector<Set> sets_;
    std::vector<Run> runs_;
};

Result<Snapshot> open(std::shared_ptr<const Source> source) {
    ASSIGN_OR_RETURN(const SharedBytes header, source->load(0, headerSize));
    const Layout* const layout = layoutOf(header);
    if (layout == nullptr)
        return fail(Errc::unsupported,
                    "a hibernation file whose header is of a length nobody has described: of a "
                    "Windows before 8, or newer than this program",
                    source->where(lengthAt));
    const auto field = [&](std::size_t at, bool wide) -> std::uint64_t {
        return wide ? loadInteger<std::uint64_t>(header.span().data() + at)
                    : loadInteger<std::uint32_t>(header.span().data() + at);
    };
    if (field(layout->pageSizeAt, false) != pageSize)
        return fail(Errc::malformed, "pages of another size than 4096",
                    source->where(layout->pageSizeAt));
    Snapshot snapshot = image::startSnapshot(*source, "hiberfil");
    snapshot.provenance.time = minidump::fromFileTime(field(layout->systemTimeAt, true));
    snapshot.provenance.consistency = Consistency::frozen;
    Machine& machine = *snapshot.machine;
    machine.system.os = Os::windows;
    machine.system.arch = layout->wide ? Arch::x86_64 : Arch::x86;
    if (isOneOf(usedMarks, markOf(header)))
        snapshot.issues.note("Windows has resumed from it: parts may have been written over since");
    if (layout->securePageAt != 0 && field(layout->securePageAt, true) != 0)
        snapshot.issues.note("pages of Windows' secure kernel are encrypted, and not read");
    Reader reader(source, layout->wide, snapshot);
    reader.section("kernel's pages", field(layout->kernelPageAt, layout->wide),
                   field(layout->kernelPagesAt, true));
    reader.section("loader's pages", field(layout->bootPageAt, layout->wide),
                   field(layout->loaderPagesAt, true));
    ASSIGN_OR_RETURN(machine.physical, reader.build());
    snapshot.issues.note("Windows leaves out free pages: what is not in the file may be anything");
    return snapshot;
}

}  // namespace

Format hiberfilFormat() {
    Format format{};
    format.name = "hiberfil";
    format.description = "Windows hibernation file";
    format.probe = probe;
    format.open = open;
    return format;
}

}  // namespace icecore
