#include "images/link_map.h"

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "base/text.h"
#include "bytes/cursor.h"
#include "bytes/elf_layout.h"

namespace icecore {

namespace {

/// Far more than any process has; each costs two small reads.
constexpr std::size_t mostObjects = 100'000;
constexpr std::size_t mostNamespaces = 64;  // glibc has 16 (DL_NNS)
constexpr std::uint64_t largestTable = 1U << 20;

/// DT_DEBUG of a program whose headers are not in the dump (QEMU's cores leave out whatever can be
/// executed): its dynamic section lies in the memory behind them. A pair (DT_DEBUG, address) counts
/// when a record is there that names the interpreter the kernel has loaded.
std::optional<std::uint64_t> searchDebugRecord(const Process& process, std::uint64_t headers,
                                               std::size_t pointer) {
    constexpr std::uint64_t reach = std::uint64_t{256}
                                    << 20;  // of address space behind the headers
    constexpr std::uint64_t mostSearched = std::uint64_t{4} << 20;
    const auto interpreter = process.auxvValue(elf::auxBase);
    if (!interpreter || *interpreter == 0) return std::nullopt;
    std::uint64_t searched = 0;
    for (const Extent& extent : process.memory->extents(Range::ofSize(headers, reach))) {
        if (extent.absence != Absence::none || extent.zero) continue;
        const std::uint64_t size = std::min(extent.range.size(), mostSearched - searched);
        searched += size;
        const auto bytes = process.memory->readUpTo(extent.range.begin(), size);
        for (std::size_t at = 0; at + 2 * pointer <= bytes.size(); at += pointer) {
            Cursor cursor{ByteView(bytes).slice(at)};
            if (cursor.unsignedOf(pointer) != elf::dynamicDebug) continue;
            const std::uint64_t record = cursor.unsignedOf(pointer);
            if (process.memory->readPointer(record + 4 * pointer, pointer) == interpreter)
                return record;
        }
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> findDebugRecord(const Process& process) {
    const std::size_t pointer = archInfo(process.system.arch).pointerSize;
    const auto headers = process.auxvValue(elf::auxProgramHeaders);
    const auto count = process.auxvValue(elf::auxProgramCount);
    const bool is64 = pointer == 8;
    const std::uint64_t entrySize = is64 ? sizeof(elf::Program64) : sizeof(elf::Program32);
    if (!headers || !count || *count > largestTable / entrySize) return std::nullopt;
    const auto table = process.memory->readUpTo(*headers, *count * entrySize);
    if (table.empty()) return searchDebugRecord(process, *headers, pointer);
    Cursor cursor{ByteView(table)};
    std::optional<std::uint64_t> bias, dynamic;
    std::uint64_t dynamicSize = 0;
    while (cursor.canHold(1, entrySize)) {
        std::uint32_t type = 0;
        std::uint64_t address = 0, size = 0;
        const auto take = [&](const auto& raw) {
            type = raw.type;
            address = raw.virtualAddress;
            size = raw.memorySize;
        };
        if (is64) {
            take(cursor.structure<elf::Program64>());
        } else {
            take(cursor.structure<elf::Program32>());
        }
        if (type == elf::segmentHeaders) bias = *headers - address;
        if (type == elf::segmentDynamic) {
            dynamic = address;
            dynamicSize = size;
        }
    }
    if (!dynamic) return std::nullopt;  // a static program
    const auto entries =
        process.memory->readUpTo(*dynamic + bias.value_or(0), std::min(dynamicSize, largestTable));
    Cursor tags{ByteView(entries)};
    while (tags.canHold(2, pointer)) {
        const std::uint64_t tag = tags.unsignedOf(pointer);
        const std::uint64_t value = tags.unsignedOf(pointer);
        if (tag == elf::dynamicNull) break;
        if (tag == elf::dynamicDebug && value != 0) return value;
    }
    return std::nullopt;
}

std::vector<LoadedObject> readLinkMap(const Process& process, Issues& issues) {
    std::vector<LoadedObject> objects;
    const std::size_t pointer = archInfo(process.system.arch).pointerSize;
    const AddressSpace& memory = *process.memory;
    std::optional<std::uint64_t> record = findDebugRecord(process);
    std::unordered_set<std::uint64_t> seen;
    for (std::size_t space = 0; record && *record != 0 && space < mostNamespaces; ++space) {
        if (!seen.insert(*record).second) break;
        // struct r_debug: int r_version; link_map* r_map; r_brk; enum r_state; r_ldbase; and from
        // version 2 on (glibc 2.35): r_debug_extended* r_next.
        const auto version = memory.readInteger<std::uint32_t>(*record);
        auto entry = memory.readPointer(*record + pointer, pointer);
        while (entry && *entry != 0) {
            if (!seen.insert(*entry).second || objects.size() >= mostObjects) {
                issues.loss("the dynamic linker's list of modules goes in circles", hex(*entry));
                return objects;
            }
            // struct link_map: l_addr, char* l_name, l_ld, l_next, l_prev.
            const auto bytes = memory.readUpTo(*entry, 4 * pointer);
            Cursor cursor{ByteView(bytes)};
            LoadedObject object;
            object.bias = cursor.unsignedOf(pointer);
            const std::uint64_t name = cursor.unsignedOf(pointer);
            object.dynamic = cursor.unsignedOf(pointer);
            const std::uint64_t next = cursor.unsignedOf(pointer);
            if (!cursor.ok()) {
                issues.loss("the dynamic linker's list of modules is not wholly in the dump",
                            hex(*entry));
                break;
            }
            if (name != 0) object.name = memory.readCString(name).value_or("");
            objects.push_back(std::move(object));
            entry = next;
        }
        record = version && *version >= 2 ? memory.readPointer(*record + 5 * pointer, pointer)
                                          : std::nullopt;
    }
    return objects;
}

}  // namespace icecore
