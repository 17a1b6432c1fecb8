#include "formats/elfcore/core_writer.h"

#include <algorithm>

#include "bytes/elf_layout.h"
#include "formats/copy_memory.h"
#include "formats/elfcore/core_note_writer.h"
#include "formats/elfcore/own_notes.h"

namespace icecore {

namespace {

using namespace elfcore;

constexpr std::uint64_t pageSize = 4096;

std::optional<std::uint16_t> machineOf(Arch arch) {
    switch (arch) {
    case Arch::x86_64: return elf::machineX86_64;
    case Arch::arm64: return elf::machineAarch64;
    default: return std::nullopt;
    }
}

std::uint32_t flagsOf(Protection protection) {
    return (protection.read ? elf::flagRead : 0) | (protection.write ? elf::flagWrite : 0) |
           (protection.execute ? elf::flagExecute : 0);
}

struct Segment {
    Range range;
    std::uint32_t flags = elf::flagRead;
    bool stored = false;
    std::uint64_t offset = 0;
};

/// The plan in whole pages: a core's segments are page-aligned, and a page that is saved in part
/// is saved whole (but never beyond its region).
SavePlan inWholePages(const Process& process, const SavePlan& plan) {
    SavePlan whole = plan;
    whole.memory.clear();
    for (const SavePlan::Item& item : plan.memory) {
        if (item.range.empty()) continue;
        std::uint64_t begin = alignDown(item.range.begin(), pageSize);
        std::uint64_t end = alignUp(item.range.end(), pageSize);
        if (const Region* region = process.regionAt(item.range.begin()))
            begin = std::max(begin, region->range.begin());
        if (const Region* region = process.regionAt(item.range.end() - 1))
            end = std::min(end, region->range.end());
        if (!whole.memory.empty()) begin = std::max(begin, whole.memory.back().range.end());
        if (begin < end) whole.memory.push_back({Range::between(begin, end), item.reason});
    }
    return whole;
}

/// Every region, divided into what is stored of it and what is not; stored ranges outside all
/// regions stand for themselves. Both lists are ascending and disjoint.
std::vector<Segment> makeSegments(const std::vector<Region>& regions,
                                  const std::vector<Range>& stored) {
    std::vector<Segment> segments;
    segments.reserve(regions.size() + stored.size());
    std::size_t next = 0;
    std::uint64_t taken = 0;  // of stored[next]: bytes up to here are in segments already
    const auto rest = [&] {
        return Range::between(std::max(stored[next].begin(), taken), stored[next].end());
    };
    const auto takeUntil = [&](std::uint64_t end, std::uint32_t flags) {
        const Range piece = rest().intersect(Range::between(0, end));
        segments.push_back({piece, flags, true, 0});
        taken = piece.end();
        if (taken == stored[next].end()) ++next;
    };
    for (const Region& region : regions) {
        while (next < stored.size() && rest().begin() < region.range.begin())
            takeUntil(region.range.begin(), elf::flagRead);
        const std::uint32_t flags = flagsOf(region.protection);
        std::uint64_t position = region.range.begin();
        while (position < region.range.end()) {
            const bool more = next < stored.size() && rest().begin() < region.range.end();
            const std::uint64_t begin = more ? rest().begin() : region.range.end();
            if (begin > position)
                segments.push_back({Range::between(position, begin), flags, false, 0});
            if (!more) break;
            takeUntil(region.range.end(), flags);
            position = segments.back().range.end();
        }
    }
    while (next < stored.size())
        takeUntil(UINT64_MAX, elf::flagRead);
    return segments;
}

class CoreWriter {
public:
    CoreWriter(const Snapshot& snapshot, const SavePlan& plan, Sink& sink, Progress& progress)
        : snapshot_(snapshot),
          process_(*snapshot.process),
          plan_(inWholePages(process_, plan)),
          memory_(memoryToSave(process_, plan_)),
          sink_(sink),
          progress_(progress) {}

    Result<WriteReport> run() {
        const auto machine = machineOf(process_.system.arch);
        if (!machine) {
            return fail(Errc::unsupported, "no cores are written for the architecture " +
                                               std::string(toString(process_.system.arch)));
        }
        TRY(layOut());
        TRY(writeHeaders(*machine));
        TRY(writeNotes());
        TRY(writeMemory());
        TRY(writeUnread());
        report_.bytes = sink_.position();
        return std::move(report_);
    }

private:
    Result<void> layOut() {
        StorablePlan storable = storablePlan(*memory_, plan_);
        for (const Extent& absent : storable.absent) {
            // What an earlier dump was not to hold cannot be missed now.
            if (absent.absence != Absence::not_captured) unread_.push_back(absent.range);
        }
        segments_ = makeSegments(process_.regions.items, storable.stored);
        TRY(forEachNote(snapshot_, plan_,
                        [&](std::string_view name, std::uint32_t,
                            std::span<const std::byte> content) -> Result<void> {
                            if (content.size() > UINT32_MAX)
                                return fail(Errc::limit, "a note is bigger than 4 GiB");
                            notesSize_ += noteSize(name, content.size());
                            return {};
                        }));
        programCount_ = segments_.size() + 2;
        // gABI, "Program Header": a count of 0xffff or more stands in section header 0.
        extended_ = programCount_ >= elf::extendedProgramCount;
        if (programCount_ > UINT32_MAX) return fail(Errc::limit, "too many segments for a core");
        notesOffset_ = sizeof(elf::Header64) + programCount_ * sizeof(elf::Program64) +
                       (extended_ ? sizeof(elf::Section64) : 0);
        std::uint64_t offset = notesOffset_ + notesSize_;
        for (Segment& segment : segments_) {
            segment.offset = alignUp(offset, pageSize);
            if (segment.stored) offset = segment.offset + segment.range.size();
        }
        unreadOffset_ = alignUp(offset, pageSize);
        return {};
    }

    Result<void> writeHeaders(std::uint16_t machine) {
        elf::Header64 header{};
        std::ranges::copy(elf::magic, header.ident);
        header.ident[elf::identClass] = std::byte{elf::class64};
        header.ident[elf::identData] = std::byte{elf::dataLittle};
        header.ident[elf::identVersion] = std::byte{1};
        header.type = elf::typeCore;
        header.machine = machine;
        header.version = 1;
        header.headerSize = sizeof header;
        header.programOffset = sizeof header;
        header.programEntrySize = sizeof(elf::Program64);
        header.programCount =
            extended_ ? elf::extendedProgramCount : static_cast<std::uint16_t>(programCount_);
        if (extended_) {
            header.sectionOffset = sizeof header + programCount_ * sizeof(elf::Program64);
            header.sectionEntrySize = sizeof(elf::Section64);
            header.sectionCount = 1;
        }
        TRY(sink_.write(bytesOf(header)));
        TRY(writeProgramHeaders());
        if (!extended_) return {};
        elf::Section64 section{};
        section.size = 1;  // the number of section headers, as Linux writes it
        section.info = static_cast<std::uint32_t>(programCount_);
        return sink_.write(bytesOf(section));
    }

    Result<void> writeProgramHeaders() {
        std::vector<elf::Program64> table;
        table.reserve(static_cast<std::size_t>(programCount_));
        const auto note = [&](std::uint64_t offset, std::uint64_t size) {
            elf::Program64 program{};
            program.type = elf::segmentNote;
            program.offset = offset;
            program.fileSize = size;
            program.alignment = 4;
            table.push_back(program);
        };
        note(notesOffset_, notesSize_);
        for (const Segment& segment : segments_) {
            elf::Program64 program{};
            program.type = elf::segmentLoad;
            program.flags = segment.flags;
            program.offset = segment.offset;
            program.virtualAddress = segment.range.begin();
            program.fileSize = segment.stored ? segment.range.size() : 0;
            program.memorySize = segment.range.size();
            program.alignment = pageSize;
            table.push_back(program);
        }
        note(unreadOffset_, noteSize(ownNoteName, unreadNoteSize));
        return sink_.write(std::as_bytes(std::span(table)));
    }

    Result<void> writeNote(std::string_view name, std::uint32_t type,
                           std::span<const std::byte> content) {
        TRY(sink_.write(noteStart(name, type, content.size())));
        TRY(sink_.write(content));
        return padTo(sink_, 4);
    }

    Result<void> writeNotes() {
        const std::uint64_t begin = sink_.position();
        TRY(forEachNote(
            snapshot_, plan_,
            [&](std::string_view name, std::uint32_t type, std::span<const std::byte> content) {
                return writeNote(name, type, content);
            }));
        if (sink_.position() - begin != notesSize_)
            return fail(Errc::internal, "the notes changed between measuring and writing");
        return {};
    }

    Result<void> writeMemory() {
        std::uint64_t total = 0;
        for (const Segment& segment : segments_)
            total += segment.stored ? segment.range.size() : 0;
        progress_.begin("writing memory", total);
        // Segments that lie one behind the other in the file are copied in one go.
        std::vector<Range> run;
        std::uint64_t behind = sink_.position();
        for (const Segment& segment : segments_) {
            if (!segment.stored) continue;
            if (segment.offset != behind) {
                TRY(copy(run));
                TRY(sink_.zeros(segment.offset - behind));
            }
            run.push_back(segment.range);
            behind = segment.offset + segment.range.size();
        }
        TRY(copy(run));
        progress_.end();
        return {};
    }

    Result<void> copy(std::vector<Range>& ranges) {
        if (ranges.empty()) return {};
        ASSIGN_OR_RETURN(CopyResult result, copyMemory(*memory_, ranges, sink_, progress_));
        report_.zeroBytes += result.zeroBytes;
        unread_.insert(unread_.end(), result.unread.begin(), result.unread.end());
        ranges.clear();
        return {};
    }

    Result<void> writeUnread() {
        TRY(padTo(sink_, pageSize));
        std::vector<Range> all = unread_;
        all.insert(all.end(), snapshot_.unread.begin(), snapshot_.unread.end());
        RangeSet merged;
        std::ranges::sort(all);
        for (const Range& range : all)
            merged.add(range);
        TRY(writeNote(ownNoteName, noteUnread, encodeUnread(merged.ranges())));
        RangeSet own;
        std::ranges::sort(unread_);
        for (const Range& range : unread_)
            own.add(range);
        report_.unread = own.ranges();
        return {};
    }

    const Snapshot& snapshot_;
    const Process& process_;
    SavePlan plan_;
    std::shared_ptr<const AddressSpace> memory_;
    Sink& sink_;
    Progress& progress_;
    std::vector<Segment> segments_;
    std::uint64_t programCount_ = 0;
    bool extended_ = false;
    std::uint64_t notesOffset_ = 0, notesSize_ = 0, unreadOffset_ = 0;
    std::vector<Range> unread_;
    WriteReport report_;
};

}  // namespace

Result<WriteReport> writeElfCore(const Snapshot& snapshot, const SavePlan& plan, Sink& sink,
                                 Progress& progress) {
    if (!snapshot.process) return fail(Errc::unsupported, "a core holds a process, not a machine");
    return CoreWriter(snapshot, plan, sink, progress).run();
}

}  // namespace icecore
