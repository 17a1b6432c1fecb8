#include "formats/elfcore/core_reader.h"

#include <algorithm>

#include "base/text.h"
#include "bytes/elf_layout.h"
#include "formats/elfcore/core_arguments.h"
#include "formats/elfcore/core_notes.h"
#include "formats/elfcore/own_notes.h"
#include "images/elf_image.h"
#include "images/elf_modules.h"
#include "images/module_protection.h"
#include "memory/segment_space.h"

namespace icecore {

namespace {

using namespace elfcore;

/// Notes beyond are not read: 5 000 threads with the biggest vector state need 60 MiB.
constexpr std::uint64_t maxNoteBytes = std::uint64_t{96} << 20;

Range memoryRange(const ElfSegment& segment) {
    return Range::ofSize(segment.address, std::max(segment.memorySize, segment.fileSize));
}

Protection protectionOf(const ElfSegment& segment) {
    return {(segment.flags & elf::flagRead) != 0, (segment.flags & elf::flagWrite) != 0,
            (segment.flags & elf::flagExecute) != 0, false};
}

class CoreReader {
public:
    CoreReader(std::shared_ptr<const Source> source, std::shared_ptr<const ElfImage> image)
        : source_(std::move(source)), image_(std::move(image)) {}

    Snapshot read() {
        Process& process = snapshot_.process.emplace();
        process.system.os = Os::linux_os;
        process.system.arch = image_->arch();
        snapshot_.provenance.path = source_->name();
        snapshot_.provenance.format = "core";
        snapshot_.provenance.bytes = source_->size();
        snapshot_.issues.append(image_->issues());
        if (image_->arch() == Arch::unknown)
            issues().loss("an architecture icecore does not know: registers are not read");
        readNotes();
        makeMemory();
        if (process.regions.empty()) makeRegions();
        describeProcess();
        if (!notes_.hasModules) {
            findElfModules(process, issues());
            if (!merged_.empty()) protectAsLinked(process, merged_);
            if (process.modules.coverage == Coverage::absent && !process.modules.empty())
                process.modules.coverage = Coverage::complete;
        }
        findStacks();
        return std::move(snapshot_);
    }

private:
    Issues& issues() { return snapshot_.issues; }

    void readNotes() {
        NoteReader reader(image_->arch(), snapshot_);
        std::uint64_t left = maxNoteBytes;
        for (const ElfSegment& segment : image_->segments()) {
            if (segment.type != elf::segmentNote) continue;
            readNoteSegment(reader, segment, left);
        }
        notes_ = reader.finish();
        if (notes_.expectsUnread && !notes_.hasUnread)
            issues().loss("the list of unread ranges is lost: zeros may stand for unread memory");
        if (snapshot_.process->threads.empty()) issues().loss("no threads are recorded");
    }

    void readNoteSegment(NoteReader& reader, const ElfSegment& segment, std::uint64_t& left) {
        const std::uint64_t there =
            segment.offset < source_->size() ? source_->size() - segment.offset : 0;
        const std::uint64_t size = std::min({segment.fileSize, there, left});
        const std::string where = source_->where(segment.offset);
        if (there < segment.fileSize)
            issues().loss("notes end too early: the file is cut off", where);
        else if (size < segment.fileSize)
            issues().loss("more notes than icecore reads", where);
        left -= size;
        const auto bytes = source_->load(segment.offset, size);
        if (!bytes) {
            issues().loss(bytes.error());
            return;
        }
        std::string damage;
        const ByteView view(bytes->span(), source_->name(), segment.offset);
        for (const ElfNote& note : parseNotes(view, segment.alignment == 8 ? 8 : 4, &damage))
            reader.take(note);
        // The end of a cut file is said already.
        if (!damage.empty() && there >= segment.fileSize) issues().loss(damage);
    }

    void makeMemory() {
        SegmentSpaceBuilder builder(source_);
        builder.reserve(image_->segments().size() + snapshot_.unread.size());
        // First come, first kept: the file has zeros where reading failed, and they are no content.
        for (const Range& range : snapshot_.unread)
            builder.addAbsent(range, Absence::unreadable);
        std::uint64_t lost = 0;
        std::uint64_t end = 0;
        std::size_t overlaps = 0;
        for (const ElfSegment& segment : image_->segments()) {
            if (segment.type != elf::segmentLoad) continue;
            const Range whole = memoryRange(segment);
            const Range stored = Range::ofSize(whole.begin(), segment.fileSize);
            builder.addStored(stored, segment.offset);
            // Linux writes fewer bytes than are mapped where it was told to leave them out (the
            // core filter, MADV_DONTDUMP, file pages): that is no zero.
            builder.addAbsent(Range::between(stored.end(), whole.end()), Absence::not_captured);
            const std::uint64_t there =
                segment.offset < source_->size() ? source_->size() - segment.offset : 0;
            if (there < segment.fileSize) lost += segment.fileSize - there;
            if (whole.begin() < end && !whole.empty()) ++overlaps;
            end = std::max(end, whole.end());
        }
        if (lost > 0) {
            issues().loss("the file is cut off: " + humanBytes(lost) + " of memory are lost",
                          source_->where(source_->size()));
        }
        if (overlaps > 0)
            issues().note(std::to_string(overlaps) + " segments overlap or are out of order");
        snapshot_.process->memory = builder.build();
    }

    /// Regions from the program headers and NT_FILE.
    void makeRegions() {
        struct Piece {
            Range range;
            Protection protection;
        };
        std::vector<Piece> pieces;
        for (const ElfSegment& segment : image_->segments()) {
            const Range range = memoryRange(segment);
            if (segment.type == elf::segmentLoad && !range.empty())
                pieces.push_back({range, protectionOf(segment)});
        }
        std::ranges::stable_sort(pieces, {},
                                 [](const Piece& piece) { return piece.range.begin(); });
        auto file = notes_.files.begin();
        std::uint64_t position = 0;
        for (const Piece& piece : pieces) {
            Range rest = Range::between(std::max(piece.range.begin(), position), piece.range.end());
            position = std::max(position, piece.range.end());
            const Range whole = rest;
            std::size_t mappings = 0;
            while (!rest.empty()) {
                while (file != notes_.files.end() && file->range.end() <= rest.begin())
                    ++file;
                const bool inside =
                    file != notes_.files.end() && file->range.contains(rest.begin());
                const std::uint64_t end = file == notes_.files.end() ? rest.end()
                                          : inside ? std::min(rest.end(), file->range.end())
                                                   : std::min(rest.end(), file->range.begin());
                addRegion(Range::between(rest.begin(), end), piece.protection,
                          inside ? &*file : nullptr);
                rest = Range::between(end, rest.end());
                ++mappings;
            }
            // The kernel and gdb write a segment for each mapping. .NET's createdump writes one
            // for several that follow each other, code among them, and gives it the flags of the
            // first: what each of them may do is then not told by the segment.
            if (mappings > 1) merged_.push_back(whole);
        }
        if (!snapshot_.process->regions.empty())
            snapshot_.process->regions.coverage = Coverage::complete;
    }

    void addRegion(Range range, Protection protection, const MappedFile* file) {
        Region region;
        region.range = range;
        region.protection = protection;
        region.kind = RegionKind::anonymous;
        if (file != nullptr) {
            region.kind = RegionKind::file;
            region.name = file->path;
            region.fileOffset = file->offset + (range.begin() - file->range.begin());
        }
        // Linux on x86-64 maps it at a fixed address in the kernel's half.
        if (image_->arch() == Arch::x86_64 && range.begin() == 0xffffffffff600000) {
            region.kind = RegionKind::special;
            region.name = "[vsyscall]";
        }
        snapshot_.process->regions.items.push_back(std::move(region));
    }

    void nameRegion(std::optional<std::uint64_t> address, RegionKind kind, std::string_view name) {
        if (!address) return;
        for (Region& region : snapshot_.process->regions) {
            if (!region.range.contains(*address) || region.kind != RegionKind::anonymous) continue;
            region.kind = kind;
            region.name = name;
        }
    }

    void describeProcess() {
        Process& process = *snapshot_.process;
        if (!notes_.own) {
            nameRegion(process.auxvValue(elf::auxVdso), RegionKind::vdso, "[vdso]");
            nameRegion(process.auxvValue(elf::auxRandom), RegionKind::stack, "[stack]");
        }
        if (process.executable.empty()) {
            for (const std::uint64_t type : {elf::auxProgramHeaders, elf::auxEntry}) {
                const auto address = process.auxvValue(type);
                const Region* region = address ? process.regionAt(*address) : nullptr;
                if (region == nullptr || region->kind != RegionKind::file) continue;
                process.executable = region->name;
                break;
            }
        }
        if (process.commandLine.empty()) readArguments(process);
        if (process.commandLine.empty()) {
            for (const std::string_view word : splitBlanks(notes_.arguments))
                process.commandLine.emplace_back(word);
        }
        if (snapshot_.provenance.tool.empty()) snapshot_.provenance.tool = guessTool();
    }

    /// Who writes what: see docs/formats.md.
    [[nodiscard]] std::string guessTool() const {
        // .NET's createdump stores a block of information about itself at this address
        // (SpecialDiagInfoAddress in .NET's specialdiaginfo.h).
        constexpr std::uint64_t diagnostics = 0x7ffffff10000;
        std::byte raw[14];
        if (snapshot_.process->memory->read(diagnostics, raw).bytes == sizeof raw &&
            std::string_view(reinterpret_cast<const char*>(raw), sizeof raw) == "DIAGINFOHEADER")
            return "createdump (.NET)";
        if (std::ranges::any_of(image_->sections(), [](const ElfSection& section) {
                return section.name.starts_with("note");
            }))
            return "gdb's gcore, it seems";
        if (notes_.hasFiles && notes_.firstType == elf::notePrStatus) return "Linux, it seems";
        return {};
    }

    void findStacks() {
        Process& process = *snapshot_.process;
        for (Thread& thread : process.threads) {
            if (thread.stack || !thread.context) continue;
            const std::uint64_t sp = thread.context->registers.sp();
            if (const Region* region = process.regionAt(sp))
                thread.stack = Range::between(sp, region->range.end());
        }
    }

    std::shared_ptr<const Source> source_;
    std::shared_ptr<const ElfImage> image_;
    Snapshot snapshot_;
    CoreNotes notes_;
    std::vector<Range> merged_;  ///< segments of several mappings: their flags are not each one's
};

}  // namespace

Result<Snapshot> readElfCore(std::shared_ptr<const Source> source) {
    ASSIGN_OR_RETURN(auto image, ElfImage::open(source));
    return CoreReader(std::move(source), std::move(image)).read();
}

}  // namespace icecore
