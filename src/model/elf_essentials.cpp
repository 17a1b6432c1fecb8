#include "model/elf_essentials.h"

#include <algorithm>
#include <array>

#include "bytes/cursor.h"
#include "bytes/elf_layout.h"

namespace icecore {

namespace {

// Bounds on foreign data: generous for real processes, small against an attacker's patience.
constexpr std::size_t maxProgramHeaders = 512;
constexpr std::size_t maxDynamicEntries = 512;
constexpr std::size_t maxLinkMaps = 20'000;
constexpr std::size_t maxDtvSlots = 4096;

template <class Program>
LoadedSegment segmentOf(const Program& header) {
    const std::uint64_t address = header.virtualAddress;
    const std::uint64_t size = header.memorySize;
    return {header.type, header.flags, Range::ofSize(address, size)};
}

/// Program headers as they stand: addresses without the load bias.
std::vector<LoadedSegment> readProgramHeaders(const AddressSpace& memory, std::uint64_t address,
                                              std::uint64_t entrySize, std::uint64_t count,
                                              bool is64) {
    const std::uint64_t minimum = is64 ? sizeof(elf::Program64) : sizeof(elf::Program32);
    if (entrySize < minimum || entrySize > 1024 || count > maxProgramHeaders) return {};
    const std::vector<std::byte> bytes = memory.readUpTo(address, entrySize * count);
    std::vector<LoadedSegment> segments;
    for (std::uint64_t i = 0; i < count; ++i) {
        Cursor cursor(ByteView(bytes).slice(i * entrySize, entrySize));
        const LoadedSegment segment = is64 ? segmentOf(cursor.structure<elf::Program64>())
                                           : segmentOf(cursor.structure<elf::Program32>());
        if (!cursor.ok()) break;
        segments.push_back(segment);
    }
    return segments;
}

void shift(std::vector<LoadedSegment>& segments, std::uint64_t bias) {
    for (LoadedSegment& segment : segments)
        segment.range = Range::ofSize(segment.range.begin() + bias, segment.range.size());
}

/// The program's own segments, found the way a debugger does: through the auxiliary vector.
std::vector<LoadedSegment> programSegments(const Process& process, std::size_t pointerSize) {
    const auto address = process.auxvValue(elf::auxProgramHeaders);
    const auto entrySize = process.auxvValue(elf::auxProgramEntrySize);
    const auto count = process.auxvValue(elf::auxProgramCount);
    if (!address || !entrySize || !count) return {};
    auto segments =
        readProgramHeaders(*process.memory, *address, *entrySize, *count, pointerSize == 8);
    const auto self = std::ranges::find(segments, elf::segmentHeaders, &LoadedSegment::type);
    if (self == segments.end()) return {};  // a static program without PT_PHDR has no linker
    shift(segments, *address - self->range.begin());
    return segments;
}

/// The program headers of the ELF header at `base`, as they stand.
std::vector<LoadedSegment> segmentsAt(const Process& process, std::uint64_t base) {
    std::array<std::byte, sizeof(elf::Header64)> header{};
    const std::size_t got = process.memory->read(base, header).bytes;
    if (got < sizeof(elf::Header32) || !std::ranges::equal(elf::magic, std::span(header).first(4)))
        return {};
    Cursor cursor{ByteView(header).slice(0, got)};
    if (header[elf::identClass] == std::byte{elf::class64}) {
        const auto fields = cursor.structure<elf::Header64>();
        return readProgramHeaders(*process.memory, base + fields.programOffset,
                                  fields.programEntrySize, fields.programCount, true);
    }
    const auto fields = cursor.structure<elf::Header32>();
    return readProgramHeaders(*process.memory, base + fields.programOffset, fields.programEntrySize,
                              fields.programCount, false);
}

/// The lowest loaded page is where the file's header was mapped.
std::optional<std::uint64_t> biasOf(const Process& process,
                                    const std::vector<LoadedSegment>& segments,
                                    std::uint64_t base) {
    const auto first = std::ranges::find(segments, elf::segmentLoad, &LoadedSegment::type);
    if (first == segments.end()) return std::nullopt;
    return base - alignDown(first->range.begin(), archInfo(process.system.arch).pageSize);
}

/// The program's dynamic section; empty for a static program.
Range programDynamic(const Process& process) {
    const std::size_t pointer = archInfo(process.system.arch).pointerSize;
    const auto segments = programSegments(process, pointer);
    const auto dynamic = std::ranges::find(segments, elf::segmentDynamic, &LoadedSegment::type);
    if (dynamic == segments.end()) return {};
    return Range::ofSize(
        dynamic->range.begin(),
        std::min<std::uint64_t>(dynamic->range.size(), 2 * pointer * maxDynamicEntries));
}

}  // namespace

std::vector<LoadedSegment> loadedSegments(const Process& process, std::uint64_t base) {
    auto segments = segmentsAt(process, base);
    if (const auto bias = biasOf(process, segments, base))
        shift(segments, *bias);
    else
        segments.clear();
    return segments;
}

std::optional<std::uint64_t> loadBias(const Process& process, std::uint64_t base) {
    return biasOf(process, segmentsAt(process, base), base);
}

std::uint64_t linkerDebugAddress(const Process& process) {
    const std::size_t pointer = archInfo(process.system.arch).pointerSize;
    const Range dynamic = programDynamic(process);
    for (std::uint64_t entry = dynamic.begin(); entry + 2 * pointer <= dynamic.end();
         entry += 2 * pointer) {
        const auto tag = process.memory->readPointer(entry, pointer);
        if (!tag || *tag == elf::dynamicNull) break;
        if (*tag == elf::dynamicDebug)
            return process.memory->readPointer(entry + pointer, pointer).value_or(0);
    }
    return 0;
}

std::vector<Range> linkerList(const Process& process) {
    const AddressSpace& memory = *process.memory;
    const std::size_t pointer = archInfo(process.system.arch).pointerSize;
    RangeSet kept;
    kept.add(programDynamic(process));
    const std::uint64_t debug = linkerDebugAddress(process);
    if (debug == 0) return kept.ranges();

    // struct r_debug (link.h): version, padding, map, brk, state, ldbase.
    kept.add(Range::ofSize(debug, 5 * pointer));
    std::uint64_t map = memory.readPointer(debug + pointer, pointer).value_or(0);
    for (std::size_t i = 0; i < maxLinkMaps && map != 0; ++i) {
        // struct link_map: addr, name, ld, next, prev.
        kept.add(Range::ofSize(map, 5 * pointer));
        const auto name = memory.readPointer(map + pointer, pointer);
        const auto next = memory.readPointer(map + 3 * pointer, pointer);
        if (name) {
            if (const auto text = memory.readCString(*name))
                kept.add(Range::ofSize(*name, text->size() + 1));
        }
        if (!next) break;
        map = *next;
    }
    return kept.ranges();
}

std::vector<Range> threadLocalStorage(const Process& process, const Thread& thread,
                                      std::uint64_t staticSize, std::uint64_t blockSize) {
    // What lies at the thread pointer is the C library's own: glibc's struct pthread is 2304
    // bytes (2.36), musl's far smaller.
    constexpr std::uint64_t controlBlock = 4096;
    if (!thread.tls || *thread.tls == 0) return {};
    const std::uint64_t pointer = *thread.tls;
    const std::size_t word = archInfo(process.system.arch).pointerSize;
    const bool below = process.system.arch == Arch::x86_64 || process.system.arch == Arch::x86;
    RangeSet kept;
    // TLS variant II (x86) keeps the static block below the thread pointer, variant I above
    // (ELF handling for thread-local storage, Drepper, 3). Both keep the control block: II above,
    // I below.
    const std::uint64_t before = std::min(pointer, below ? staticSize : controlBlock);
    kept.add(Range::between(pointer - before,
                            Range::ofSize(pointer, below ? controlBlock : staticSize).end()));

    // The dtv: slot 0 is a generation counter, slot -1 the number of slots; each is two words,
    // the first a block's address or -1.
    const auto dtv = process.memory->readPointer(pointer + (below ? word : 0), word);
    if (!dtv || *dtv < 2 * word) return kept.ranges();
    const auto slots = process.memory->readPointer(*dtv - 2 * word, word);
    if (!slots || *slots > maxDtvSlots) return kept.ranges();
    kept.add(Range::between(*dtv - 2 * word, *dtv + (*slots + 1) * 2 * word));
    for (std::uint64_t i = 1; i <= *slots; ++i) {
        const auto block = process.memory->readPointer(*dtv + i * 2 * word, word);
        if (!block) break;
        if (*block != 0 && *block != UINT64_MAX && *block != UINT32_MAX)
            kept.add(Range::ofSize(*block, blockSize));
    }
    return kept.ranges();
}

}  // namespace icecore
