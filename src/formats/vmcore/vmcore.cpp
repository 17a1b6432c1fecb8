#include "formats/vmcore/vmcore.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "bytes/cursor.h"
#include "bytes/elf_layout.h"
#include "bytes/read_structure.h"
#include "formats/copy_memory.h"
#include "formats/elfcore/core_note_writer.h"
#include "formats/elfcore/own_notes.h"
#include "formats/image/image.h"
#include "images/elf_image.h"
#include "memory/segment_space.h"

namespace icecore {

namespace {

using namespace image;

/// Of all notes together; a kernel with thousands of CPUs has some megabytes.
constexpr std::uint64_t maxNotes = std::uint64_t{64} << 20;
/// How much of the notes is looked at to tell a machine from a process.
constexpr std::uint64_t probedNotes = 131072;  // our own of unread ranges has 64 KiB
constexpr std::size_t probedSegments = 4096;
/// The type of our own notes' segment, of the range that is the system's to use: makedumpfile looks
/// into the last PT_NOTE only, and that has to be the one with VMCOREINFO.
constexpr std::uint32_t ownNotes = 0x60494345;

bool hasNotes(const elf::Program64& segment) {
    return segment.type == elf::segmentNote || segment.type == ownNotes;
}

struct Tables {
    elf::Header64 header{};  ///< of a 32-bit machine, what is used of it
    bool wide = true;
    std::uint64_t programCount = 0;
    [[nodiscard]] std::size_t entrySize() const {
        return wide ? sizeof(elf::Program64) : sizeof(elf::Program32);
    }
};

/// How many program headers there are where the header has no room for their number.
Result<std::uint64_t> programsBySection(const Source& source, const Tables& tables) {
    constexpr std::string_view what = "section header 0";
    const std::uint64_t at = tables.header.sectionOffset;
    if (tables.wide) {
        ASSIGN_OR_RETURN(const auto section, readStructure<elf::Section64>(source, at, what));
        return section.info;
    }
    ASSIGN_OR_RETURN(const auto section, readStructure<elf::Section32>(source, at, what));
    return section.info;
}

elf::Program64 widen(const elf::Program32& narrow) {
    elf::Program64 segment{};
    segment.type = narrow.type;
    segment.offset = narrow.offset;
    segment.physicalAddress = narrow.physicalAddress;
    segment.fileSize = narrow.fileSize;
    segment.memorySize = narrow.memorySize;
    return segment;
}

Arch archOf(const elf::Header64& header) {
    switch (header.machine) {
    case elf::machine386: return Arch::x86;
    case elf::machineArm: return Arch::arm;
    case elf::machineX86_64: return Arch::x86_64;
    case elf::machineAarch64: return Arch::arm64;
    default: return Arch::unknown;
    }
}

Result<Tables> readTables(const Source& source) {
    Tables tables;
    ASSIGN_OR_RETURN(tables.header, readStructure<elf::Header64>(source, 0, "the ELF header"));
    elf::Header64& header = tables.header;
    const bool core = std::ranges::equal(elf::magic, std::span(header.ident).first<4>()) &&
                      header.ident[elf::identData] == std::byte{elf::dataLittle} &&
                      header.type == elf::typeCore;
    if (!core) return fail(Errc::malformed, "no little-endian ELF core", source.name());
    tables.wide = header.ident[elf::identClass] == std::byte{elf::class64};
    if (!tables.wide) {
        ASSIGN_OR_RETURN(const auto narrow,
                         readStructure<elf::Header32>(source, 0, "the ELF header"));
        header.programOffset = narrow.programOffset;
        header.sectionOffset = narrow.sectionOffset;
        header.programEntrySize = narrow.programEntrySize;
        header.programCount = narrow.programCount;
    }
    tables.programCount = header.programCount;
    if (header.programCount == elf::extendedProgramCount) {
        ASSIGN_OR_RETURN(tables.programCount, programsBySection(source, tables));
    }
    if (tables.programCount > 0 && header.programEntrySize != tables.entrySize())
        return fail(Errc::malformed, "program headers of an unknown size", source.name());
    return tables;
}

/// At most `limit` program headers, as far as the file has them.
Result<std::vector<elf::Program64>> readSegments(const Source& source, const Tables& tables,
                                                 std::uint64_t limit, bool& cut) {
    const std::uint64_t offset = tables.header.programOffset;
    const std::uint64_t left = offset < source.size() ? source.size() - offset : 0;
    const std::uint64_t count = std::min({tables.programCount, limit, left / tables.entrySize()});
    cut = count < tables.programCount;
    ASSIGN_OR_RETURN(const SharedBytes bytes,
                     source.load(count == 0 ? 0 : offset, count * tables.entrySize()));
    std::vector<elf::Program64> segments(static_cast<std::size_t>(count));
    Cursor cursor{ByteView(bytes.span())};
    for (elf::Program64& segment : segments)
        segment = tables.wide ? cursor.structure<elf::Program64>()
                              : widen(cursor.structure<elf::Program32>());
    return segments;
}

/// What notes say the core is of; nothing where they say neither.
std::optional<bool> machineByNotes(const Source& source, const elf::Program64& segment) {
    if (segment.offset >= source.size()) return std::nullopt;
    const std::uint64_t size =
        std::min<std::uint64_t>({segment.fileSize, source.size() - segment.offset, probedNotes});
    const auto bytes = source.load(segment.offset, size);
    if (!bytes) return std::nullopt;
    for (const ElfNote& note : parseNotes(ByteView(bytes->span()), 4, nullptr)) {
        if (note.name == "VMCOREINFO" || note.name == "QEMU" || note.name == "VBCORE") return true;
        if (note.name == "CORE" && (note.type == elf::notePrPsInfo || note.type == elf::noteAuxv ||
                                    note.type == elf::noteFile))
            return false;
        if (note.name == elfcore::ownNoteName) return note.type == elfcore::noteUnread;
    }
    return std::nullopt;
}

bool probe(const Source& source) {
    const auto tables = readTables(source);
    if (!tables) return false;
    bool cut = false;
    const auto segments = readSegments(source, *tables, probedSegments, cut);
    if (!segments) return false;
    bool physical = false;
    for (const elf::Program64& segment : *segments) {
        if (hasNotes(segment)) {
            if (const auto machine = machineByNotes(source, segment)) return *machine;
        }
        // Cores of processes have no physical addresses.
        physical |= segment.type == elf::segmentLoad && segment.physicalAddress != 0;
    }
    return physical;
}

/// Notes of all segments, except our own list of what was unread.
Result<void> readNotes(const Source& source, const std::vector<elf::Program64>& segments,
                       Snapshot& snapshot) {
    std::vector<std::byte> all;
    for (const elf::Program64& segment : segments) {
        if (!hasNotes(segment)) continue;
        const std::uint64_t left =
            segment.offset < source.size() ? source.size() - segment.offset : 0;
        const std::uint64_t size = std::min<std::uint64_t>(segment.fileSize, left);
        if (size < segment.fileSize)
            snapshot.issues.loss("notes are cut off", source.where(segment.offset));
        if (size == 0) continue;
        if (size > maxNotes - all.size()) {
            snapshot.issues.loss("more notes than any machine has", source.where(segment.offset));
            continue;
        }
        ASSIGN_OR_RETURN(const SharedBytes bytes, source.load(segment.offset, size));
        const auto notes = parseNotes(ByteView(bytes.span()), 4, nullptr);
        if (!notes.empty() && notes.front().name == elfcore::ownNoteName) {
            if (notes.front().type != elfcore::noteUnread) continue;
            snapshot.provenance.tool = "icecore";
            if (auto unread = elfcore::decodeUnread(notes.front().content))
                snapshot.unread = std::move(*unread);
            else
                snapshot.issues.loss(unread.error());
            continue;
        }
        all.insert(all.end(), bytes.span().begin(), bytes.span().end());
    }
    takeNotes(snapshot, SharedBytes::own(std::move(all)), source.name());
    return {};
}

Result<Snapshot> open(std::shared_ptr<const Source> source) {
    ASSIGN_OR_RETURN(const Tables tables, readTables(*source));
    bool cut = false;
    ASSIGN_OR_RETURN(const auto segments, readSegments(*source, tables, UINT64_MAX, cut));
    Snapshot snapshot = startSnapshot(*source, "elf");
    snapshot.machine->system.arch = archOf(tables.header);
    if (cut)
        snapshot.issues.loss("program headers are cut off",
                             source->where(tables.header.programOffset));
    TRY(readNotes(*source, segments, snapshot));
    SegmentSpaceBuilder memory(source);
    memory.reserve(segments.size());
    for (const Range& range : snapshot.unread)
        memory.addAbsent(range, Absence::unreadable);
    std::size_t outside = 0;
    for (const elf::Program64& segment : segments) {
        if (segment.type != elf::segmentLoad) continue;
        const std::uint64_t begin = segment.physicalAddress;
        const std::uint64_t stored = segment.fileSize;
        const std::uint64_t whole = std::max<std::uint64_t>(stored, segment.memorySize);
        if (begin >= physicalEnd || whole > physicalEnd - begin) {
            ++outside;  // a kernel's virtual mapping without a physical address, or nonsense
            continue;
        }
        memory.addSparse(Range::ofSize(begin, stored), segment.offset);
        memory.addAbsent(Range::between(begin + stored, begin + whole), Absence::not_captured);
        if (checkedAdd(segment.offset, stored).value_or(UINT64_MAX) > source->size())
            snapshot.issues.loss("the file ends before this range does",
                                 source->where(segment.offset));
    }
    if (outside > 0)
        snapshot.issues.note(std::to_string(outside) +
                             " segments lie beyond what physical addresses reach");
    snapshot.machine->physical = memory.build();
    return snapshot;
}

std::uint16_t machineOf(Arch arch) {
    switch (arch) {
    case Arch::x86: return elf::machine386;
    case Arch::arm: return elf::machineArm;
    case Arch::arm64: return elf::machineAarch64;
    default: return elf::machineX86_64;
    }
}

/// Plans the whole file, then writes it front to back.
class Writer {
public:
    Writer(const Snapshot& snapshot, const AddressSpace& memory, Sink& sink, Progress& progress)
        : snapshot_(snapshot),
          memory_(memory),
          sink_(sink),
          progress_(progress),
          ranges_(storedRanges(memory)),
          notes_(notesToWrite(snapshot)) {}

    Result<WriteReport> run() {
        // memory, the notes, and the note of what was unread
        segments_ = ranges_.size() + 1 + (notes_.empty() ? 0 : 1);
        const bool many = segments_ >= elf::extendedProgramCount;
        const std::uint64_t tablesEnd = sizeof(elf::Header64) + segments_ * sizeof(elf::Program64) +
                                        (many ? sizeof(elf::Section64) : 0);
        notesOffset_ = alignUp(tablesEnd, 4);
        dataOffset_ = alignUp(notesOffset_ + notes_.size(), pageSize);
        unreadOffset_ = alignUp(dataOffset_ + bytesIn(ranges_), pageSize);
        TRY(writeTables(many));
        TRY(sink_.zeros(notesOffset_ - sink_.position()));
        TRY(sink_.write(notes_));
        TRY(sink_.zeros(dataOffset_ - sink_.position()));
        TRY(writeMemory());
        TRY(padTo(sink_, pageSize));
        TRY(writeUnread());
        report_.bytes = sink_.position();
        tellLosses(snapshot_, {.cpus = true, .kernelInfo = true, .absences = true}, report_.losses);
        tellUnread(report_.unread, "listed in the image, with zeros in their place",
                   report_.losses);
        return std::move(report_);
    }

private:
    Result<void> writeTables(bool many) {
        elf::Header64 header{};
        std::ranges::copy(elf::magic, header.ident);
        header.ident[elf::identClass] = std::byte{elf::class64};
        header.ident[elf::identData] = std::byte{elf::dataLittle};
        header.ident[elf::identVersion] = std::byte{1};
        header.type = elf::typeCore;
        header.machine = machineOf(snapshot_.machine->system.arch);
        header.version = 1;
        header.programOffset = sizeof(elf::Header64);  // makedumpfile looks nowhere else
        header.headerSize = sizeof(elf::Header64);
        header.programEntrySize = sizeof(elf::Program64);
        header.programCount =
            many ? elf::extendedProgramCount : static_cast<std::uint16_t>(segments_);
        if (many) {
            header.sectionOffset = sizeof(elf::Header64) + segments_ * sizeof(elf::Program64);
            header.sectionEntrySize = sizeof(elf::Section64);
            header.sectionCount = 1;
        }
        TRY(sink_.write(bytesOf(header)));
        if (!notes_.empty()) TRY(note(elf::segmentNote, notesOffset_, notes_.size()));
        std::uint64_t offset = dataOffset_;
        for (const Range& range : ranges_) {
            elf::Program64 segment{};
            segment.type = elf::segmentLoad;
            segment.flags = elf::flagRead | elf::flagWrite | elf::flagExecute;
            segment.offset = offset;
            segment.physicalAddress = range.begin();
            segment.fileSize = range.size();
            segment.memorySize = range.size();
            TRY(sink_.write(bytesOf(segment)));
            offset += range.size();
        }
        TRY(note(ownNotes, unreadOffset_,
                 elfcore::noteSize(elfcore::ownNoteName, elfcore::unreadNoteSize)));
        if (!many) return {};
        elf::Section64 section{};
        section.info = static_cast<std::uint32_t>(segments_);
        return sink_.write(bytesOf(section));
    }

    Result<void> note(std::uint32_t type, std::uint64_t offset, std::uint64_t size) {
        elf::Program64 segment{};
        segment.type = type;
        segment.offset = offset;
        segment.fileSize = size;
        segment.memorySize = size;
        segment.alignment = 4;
        return sink_.write(bytesOf(segment));
    }

    Result<void> writeMemory() {
        progress_.begin("writing", bytesIn(ranges_));
        ASSIGN_OR_RETURN(CopyResult copied, copyMemory(memory_, ranges_, sink_, progress_));
        report_.zeroBytes = copied.zeroBytes;
        report_.unread = std::move(copied.unread);
        return {};
    }

    /// It stands at the end, as only then it is known; pipes cannot be rewound.
    Result<void> writeUnread() {
        RangeSet unread;
        for (const Range& range : report_.unread)
            unread.add(range);
        for (const Extent& extent : absentExtents(memory_)) {
            if (extent.absence == Absence::unreadable) unread.add(extent.range);
        }
        const auto content = elfcore::encodeUnread(unread.ranges());
        TRY(sink_.write(
            elfcore::noteStart(elfcore::ownNoteName, elfcore::noteUnread, content.size())));
        return sink_.write(content);
    }

    const Snapshot& snapshot_;
    const AddressSpace& memory_;
    Sink& sink_;
    Progress& progress_;
    std::vector<Range> ranges_;
    std::vector<std::byte> notes_;
    std::uint64_t segments_ = 0, notesOffset_ = 0, dataOffset_ = 0, unreadOffset_ = 0;
    WriteReport report_;
};

Result<WriteReport> writeImage(const Snapshot& snapshot, const ImageOptions&, Sink& sink,
                               Progress& progress) {
    ASSIGN_OR_RETURN(const AddressSpace* const memory, physicalMemory(snapshot));
    return Writer(snapshot, *memory, sink, progress).run();
}

constexpr std::array<std::string_view, 2> extensions = {".core", ".vmcore"};

}  // namespace

Format vmcoreFormat() {
    Format format{};
    format.name = "elf";
    format.description = "ELF core of a machine";
    format.extension = ".elf";
    format.moreExtensions = extensions;
    format.probe = probe;
    format.open = open;
    format.writeImage = writeImage;
    format.wholeBytes = everyByte;
    return format;
}

}  // namespace icecore
