// /proc/kcore: an ELF core that the kernel makes up while it is read.
// Source: Linux' fs/proc/kcore.c. Its first segments have the kernel's text and RAM as the direct
// mapping shows it; p_paddr is filled in since 4.12 (-1 where there is none), VMCOREINFO is among
// the notes since 4.19.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>

#include "base/text.h"
#include "bytes/cursor.h"
#include "bytes/elf_layout.h"
#include "bytes/read_at_posix.h"
#include "images/elf_image.h"
#include "live/ram/iomem.h"
#include "live/ram/local_sources_linux.h"
#include "live/ram/offset_memory_linux.h"
#include "live/ram/rights_linux.h"

namespace icecore::ram {

namespace {

constexpr std::uint64_t pageSize = 4096;
/// One segment for each range of RAM and a handful besides.
constexpr std::uint64_t maxSegments = 65535;
constexpr std::uint64_t maxNotes = std::uint64_t{1} << 20;
/// The kernel's half of the address space begins above; its direct mapping is aligned so, however
/// it is randomized (arch/x86/mm/kaslr.c).
constexpr std::uint64_t kernelHalf = 0xff00'0000'0000'0000,
                        mappingAlignment = std::uint64_t{1} << 30;
constexpr std::uint64_t physicalEnd = std::uint64_t{1} << 52;

Result<std::vector<std::byte>> readPart(int file, std::uint64_t offset, std::uint64_t size,
                                        const std::string& name) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(size));
    TRY(readAllAt(file, offset, bytes, name));
    return bytes;
}

struct Kcore {
    std::vector<KcoreSegment> segments;
    std::string kernelInfo;
};

void takeNotes(int file, const elf::Program64& header, const std::string& name, Kcore& kcore) {
    const std::uint64_t size = header.fileSize;
    if (size == 0 || size > maxNotes) return;
    const auto bytes = readPart(file, header.offset, size, name);
    if (!bytes) return;
    for (const ElfNote& note : parseNotes(ByteView(*bytes, name), 4, nullptr)) {
        if (note.name == "VMCOREINFO")
            kcore.kernelInfo.assign(reinterpret_cast<const char*>(note.content.data()),
                                    note.content.size());
    }
}

Result<Kcore> readKcore(int file, const std::string& name) {
    ASSIGN_OR_RETURN(const auto start, readPart(file, 0, sizeof(elf::Header64), name));
    const auto header = Cursor(ByteView(start)).structure<elf::Header64>();
    if (!std::ranges::equal(elf::magic, std::span(header.ident).first<4>()) ||
        header.ident[elf::identClass] != std::byte{elf::class64} || header.type != elf::typeCore ||
        header.programEntrySize != sizeof(elf::Program64))
        return fail(Errc::malformed, "is no ELF core", name);
    std::uint64_t count = header.programCount;
    if (count == elf::extendedProgramCount) {
        ASSIGN_OR_RETURN(const auto raw,
                         readPart(file, header.sectionOffset, sizeof(elf::Section64), name));
        count = Cursor(ByteView(raw)).structure<elf::Section64>().info;
    }
    if (count > maxSegments)
        return fail(Errc::limit, "has more segments than any kernel makes", name);
    ASSIGN_OR_RETURN(const auto table,
                     readPart(file, header.programOffset, count * sizeof(elf::Program64), name));
    Kcore kcore;
    Cursor cursor{ByteView(table)};
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto segment = cursor.structure<elf::Program64>();
        if (segment.type == elf::segmentNote) takeNotes(file, segment, name, kcore);
        if (segment.type != elf::segmentLoad) continue;
        KcoreSegment taken{segment.virtualAddress, segment.fileSize, segment.offset, std::nullopt};
        if (segment.physicalAddress < physicalEnd) taken.physical = segment.physicalAddress;
        kcore.segments.push_back(taken);
    }
    // An old kernel tells 0 of all of them, which means nothing.
    if (std::ranges::none_of(kcore.segments, [](const KcoreSegment& segment) {
            return segment.physical.value_or(0) != 0;
        })) {
        for (KcoreSegment& segment : kcore.segments)
            segment.physical.reset();
    }
    return kcore;
}

Range inPages(Range range) {
    return Range::between(alignUp(range.begin(), pageSize), alignDown(range.end(), pageSize));
}

/// The virtual address of physical address 0 under which most of `ram` is found: each range of RAM
/// is a segment of its own, so the right one makes many of them meet.
std::optional<std::uint64_t> directMapping(const std::vector<KcoreSegment>& segments,
                                           const std::vector<Range>& ram) {
    std::set<std::uint64_t> candidates;
    for (const KcoreSegment& segment : segments) {
        for (const Range& range : ram) {
            const std::uint64_t base = segment.address - inPages(range).begin();
            if (base >= kernelHalf && base % mappingAlignment == 0) candidates.insert(base);
        }
    }
    std::optional<std::uint64_t> best;
    std::uint64_t most = 0;
    for (const std::uint64_t base : candidates) {
        std::uint64_t bytes = 0;
        for (const Range& range : ram) {
            for (const KcoreSegment& segment : segments) {
                if (segment.address < base) continue;
                // Each counts for what it covers of a range that begins where it does.
                if (segment.address - base != inPages(range).begin()) continue;
                bytes +=
                    Range::ofSize(segment.address - base, segment.size).intersect(range).size();
            }
        }
        if (bytes > most) {
            most = bytes;
            best = base;
        }
    }
    return best;
}

/// What kcore itself says is RAM: segments with a physical address.
std::vector<Range> ramByKcore(const std::vector<KcoreSegment>& segments) {
    RangeSet ram;
    for (const KcoreSegment& segment : segments) {
        if (segment.physical && segment.size < physicalEnd - *segment.physical)
            ram.add(Range::ofSize(*segment.physical, segment.size));
    }
    return ram.ranges();
}

}  // namespace

KcoreMap mapKcore(const std::vector<KcoreSegment>& segments, const std::vector<Range>& ram) {
    const bool told = std::ranges::any_of(
        segments, [](const KcoreSegment& segment) { return segment.physical.has_value(); });
    const std::uint64_t base =
        told ? UINT64_MAX : directMapping(segments, ram).value_or(UINT64_MAX);
    RangeMap<std::uint64_t> offsets;
    RangeSet known;
    RangeSet wanted;
    for (const Range& range : ram)
        wanted.add(range);
    for (const KcoreSegment& segment : segments) {
        std::uint64_t physical = 0;
        if (segment.physical)
            physical = *segment.physical;
        else if (segment.address >= base)
            physical = segment.address - base;
        else
            continue;
        if (physical >= physicalEnd) continue;
        const Range there = Range::ofSize(physical, segment.size);
        for (const Range& part : wanted.within(there)) {
            for (const Range& fresh : known.missing(part)) {
                offsets.add(fresh, segment.offset + (fresh.begin() - physical));
            }
            known.add(part);
        }
    }
    offsets.seal([](std::uint64_t& offset, std::uint64_t bytes) { offset += bytes; });
    KcoreMap map;
    map.offsets = std::move(offsets);
    for (const Range& range : ram) {
        for (const Range& part : known.missing(range))
            map.missing.push_back(part);
    }
    return map;
}

Result<RamSource> openKcore(const Paths& paths) {
    if (isHidden(paths.kcore))
        return fail(Errc::not_found,
                    "is hidden: something else is mounted over it, as containers "
                    "do it",
                    paths.kcore);
    Descriptor file(::open(paths.kcore.c_str(), O_RDONLY | O_CLOEXEC));
    const int error = file.valid() ? 0 : errno;
    if (error == ENOENT)
        return fail(Errc::not_found,
                    "is not there: the kernel was built without it (CONFIG_PROC_KCORE), or it is "
                    "hidden",
                    paths.kcore);
    if (error != 0)
        return failClosed(error, paths.kcore, rightsHere(paths), Lockdown::confidentiality);
    ASSIGN_OR_RETURN(Kcore kcore, readKcore(file.get(), paths.kcore));
    RamSource source;
    source.name = "kcore";
    auto ram = systemRam(paths.iomem);
    if (ram) {
        source.description = paths.kcore + ", where " + paths.iomem + " has RAM";
    } else {
        source.issues.note("ranges are as kcore has them, which cannot be checked: " +
                           ram.error().describe());
        source.description = paths.kcore;
        ram = ramByKcore(kcore.segments);
    }
    KcoreMap map = mapKcore(kcore.segments, *ram);
    if (map.offsets.empty())
        return fail(Errc::unsupported, "has none of the machine's RAM", paths.kcore);
    // The ends of ranges that are no page's are in no mapping of any kernel (0x9fc00 on every PC):
    // nobody's memory is missing for it.
    if (std::erase_if(map.missing, [](const Range& range) { return inPages(range).empty(); }) > 0)
        source.issues.note(
            "ranges of RAM end within pages, whose last bytes the kernel does not map");
    std::uint64_t missing = 0;
    for (const Range& range : map.missing)
        missing += inPages(range).size();
    if (missing > 0) source.issues.loss(humanBytes(missing) + " of RAM are not in " + paths.kcore);
    Descriptor flags(::open(paths.pageFlags.c_str(), O_RDONLY | O_CLOEXEC));
    if (!flags.valid())
        source.issues.note("pages that the kernel holds back cannot be told from zeros without " +
                           paths.pageFlags);
    const Range first = map.offsets.entries().front().range;
    source.memory =
        std::make_shared<OffsetMemory>(std::move(file), paths.kcore, std::move(map.offsets),
                                       std::move(map.missing), PageFlags(std::move(flags)));
    std::byte one[1];
    if (source.memory->read(first.begin(), one).bytes == 0)
        return fail(Errc::unreadable, source.memory->explain(first.begin()), paths.kcore);
    source.kernelInfo = std::move(kcore.kernelInfo);
    source.system = thisSystem();
    return source;
}

}  // namespace icecore::ram
