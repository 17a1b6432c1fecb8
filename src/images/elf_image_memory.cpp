// An ElfImage out of a process' memory: what the loader has mapped, without the file.
#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "bytes/cursor.h"
#include "bytes/elf_layout.h"
#include "images/elf_image.h"
#include "images/elf_image_parts.h"

namespace icecore {

namespace {

/// Program headers stand right behind the ELF header, in the first page; more of them than this
/// no linker makes.
constexpr std::uint64_t mostProgramHeaders = 1024;

/// The most that is copied in one piece where memory cannot be shown in place: a segment of a
/// damaged dump may claim terabytes of known zeros.
constexpr std::uint64_t largestCopy = std::uint64_t{64} << 20;

/// How many symbols the GNU hash table (Drepper, "How To Write Shared Libraries"; the layout is in
/// binutils' elf-bfd) covers: the last entry of the longest-reaching chain tells. Symbols in front
/// of the first hashed one are undefined imports. 0 when the table cannot be read.
std::uint64_t gnuHashSymbolCount(const ElfImage& image, std::uint64_t address) {
    Cursor header(image.atAddress(address, 16));
    const std::uint32_t buckets = header.u32();
    const std::uint32_t firstHashed = header.u32();
    const std::uint32_t bloomWords = header.u32();
    if (!header.ok()) return 0;
    const std::uint64_t bucketTable =
        address + 16 + std::uint64_t{bloomWords} * (image.is64() ? 8 : 4);
    const ByteView bucketBytes = image.atAddress(bucketTable, std::uint64_t{buckets} * 4);
    if (bucketBytes.size() != std::uint64_t{buckets} * 4) return 0;
    std::uint32_t last = 0;
    Cursor cursor(bucketBytes);
    for (std::uint32_t i = 0; i < buckets; ++i)
        last = std::max(last, cursor.u32());
    if (last < firstHashed) return firstHashed;
    // The chain of the highest bucket ends at an entry with bit 0 set.
    const std::uint64_t chains = bucketTable + std::uint64_t{buckets} * 4;
    Cursor chain(image.atAddress(chains + std::uint64_t{last - firstHashed} * 4));
    std::uint64_t count = last;
    while (chain.canHold(1, 4)) {
        ++count;
        if ((chain.u32() & 1U) != 0) return count;
    }
    return 0;
}

std::uint64_t symbolCount(const ElfImage& image) {
    if (const auto hash = image.dynamicValue(elf::dynamicHash)) {
        // nbucket, nchain: as many chain entries as symbols.
        Cursor header(image.atAddress(image.linkAddress(*hash), 8));
        header.skip(4);
        const std::uint32_t count = header.u32();
        if (header.ok()) return count;
    }
    if (const auto hash = image.dynamicValue(elf::dynamicGnuHash))
        return gnuHashSymbolCount(image, image.linkAddress(*hash));
    return 0;
}

/// Sections as the program headers and the dynamic section tell them.
void deriveSections(const ElfImage& image, ElfImage::Parts& parts) {
    for (const ElfSegment& segment : parts.segments) {
        if (segment.type != elf::segmentDynamic && segment.type != elf::segmentEhFrame) continue;
        ElfSection section;
        const bool dynamic = segment.type == elf::segmentDynamic;
        section.name = dynamic ? ".dynamic" : ".eh_frame_hdr";
        section.type = dynamic ? elf::sectionDynamic : elf::sectionProgramBits;
        section.flags = elf::sectionAllocated;
        section.address = segment.address;
        section.size = segment.memorySize;
        parts.sections.push_back(section);
    }
    const auto symbols = image.dynamicValue(elf::dynamicSymbols);
    const auto strings = image.dynamicValue(elf::dynamicStrings);
    const auto stringsSize = image.dynamicValue(elf::dynamicStringsSize);
    const std::uint64_t entrySize = parts.is64 ? sizeof(elf::Symbol64) : sizeof(elf::Symbol32);
    const std::uint64_t count = symbols && strings && stringsSize ? symbolCount(image) : 0;
    if (count == 0) return;
    ElfSection section;
    section.name = ".dynsym";
    section.type = elf::sectionDynamicSymbols;
    section.flags = elf::sectionAllocated;
    section.address = image.linkAddress(*symbols);
    section.size = count * entrySize;
    section.entrySize = entrySize;
    section.link = static_cast<std::uint32_t>(parts.sections.size() + 1);
    parts.sections.push_back(section);
    section = {};
    section.name = ".dynstr";
    section.type = elf::sectionStrings;
    section.flags = elf::sectionAllocated;
    section.address = image.linkAddress(*strings);
    section.size = *stringsSize;
    parts.sections.push_back(section);
}

}  // namespace

ByteView ElfImage::Parts::fromProcess(std::uint64_t address, std::uint64_t size) const {
    const ElfSegment* segment = segmentAt(address);
    if (segment == nullptr) return {};
    const std::uint64_t runtime = address + bias;
    if (!loaded.contains(runtime)) return {};
    const std::uint64_t there = std::min(
        {size, segment->memorySize - (address - segment->address), loaded.end() - runtime});
    const auto window = memory->window(runtime);
    if (window.size() >= there)
        return {window.first(static_cast<std::size_t>(there)), name, runtime};

    const std::uint64_t wanted = std::min(there, largestCopy);
    const std::scoped_lock lock(mutex);
    // A kept piece serves when it reaches far enough, or as far as the memory does.
    if (auto next = pieces.upper_bound(address); next != pieces.begin()) {
        const auto& [start, bytes] = *--next;
        if (address - start < bytes.size() && bytes.size() - (address - start) >= wanted)
            return ByteView(bytes.span(), name, start + bias).slice(address - start, wanted);
    }
    auto& piece = pieces[address];
    if (piece.size() < wanted) {
        SharedBytes bytes = SharedBytes::own(memory->readUpTo(runtime, wanted));
        if (bytes.size() > piece.size()) {
            outgrown.push_back(std::move(piece));
            piece = std::move(bytes);
        }
    }
    return ByteView(piece.span(), name, runtime).slice(0, wanted);
}

Result<std::shared_ptr<const ElfImage>> ElfImage::fromMemory(const AddressSpace& memory,
                                                             std::uint64_t base, std::uint64_t size,
                                                             std::string name) {
    auto parts = std::make_unique<Parts>();
    parts->name = std::move(name);
    parts->memory = &memory;
    const std::uint64_t headerSize = std::min<std::uint64_t>(size, sizeof(elf::Header64));
    const std::vector<std::byte> header = memory.readUpTo(base, headerSize);
    ASSIGN_OR_RETURN(const Parts::Tables tables,
                     parts->readHeader(ByteView(header, parts->name, base)));
    if (tables.programEntrySize != parts->programSize() || tables.programCount == 0 ||
        tables.programCount > mostProgramHeaders || tables.programOffset >= size)
        return fail(Errc::malformed, "ELF header in memory has no usable program headers",
                    parts->name + " at " + hex(base));
    const std::uint64_t tableSize =
        std::min(tables.programCount * parts->programSize(), size - tables.programOffset);
    const auto tableAt = checkedAdd(base, tables.programOffset);
    if (!tableAt) return fail(Errc::malformed, "program headers lie nowhere", parts->name);
    const std::vector<std::byte> table = memory.readUpTo(*tableAt, tableSize);
    parts->readSegments(ByteView(table, parts->name, *tableAt));
    if (parts->segments.size() < tables.programCount) {
        parts->issues.loss("program headers are not wholly in memory",
                           parts->name + " at " + hex(*tableAt));
    }
    // The header stands where file offset 0 is mapped.
    const auto first = std::ranges::find_if(parts->segments, [](const ElfSegment& segment) {
        return segment.type == elf::segmentLoad && segment.offset <= segment.address &&
               segment.offset < 4096;
    });
    if (first == parts->segments.end())
        return fail(Errc::malformed, "no loaded segment holds the ELF header",
                    parts->name + " at " + hex(base));
    parts->bias = base - (first->address - first->offset);

    // Offsets in dumps can be anything: only what lies above the header is looked at.
    std::uint64_t end = base;
    for (const ElfSegment& segment : parts->segments) {
        if (segment.type != elf::segmentLoad) continue;
        const Range link = Range::ofSize(segment.address, segment.memorySize);
        if (link.end() + parts->bias > end && link.begin() + parts->bias >= base)
            end = link.end() + parts->bias;
    }
    parts->loaded = Range::ofSize(base, std::min(size, end - base));

    auto* raw = parts.get();
    auto image = std::make_shared<ElfImage>(std::move(parts));
    deriveSections(*image, *raw);
    return image;
}

}  // namespace icecore
