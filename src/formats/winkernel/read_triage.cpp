// Small dumps: what was thought worth keeping, in lists.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "formats/winkernel/reading.h"

namespace icecore::winkernel {

namespace {

constexpr std::uint32_t mostDrivers = 4096, mostBlocks = 65536, longestName = 1024;

template <class Raw>
Triage widen(const Raw& raw) {
    return {raw.topOfStack,       raw.dataPageAddress, raw.validOffset,        raw.exceptionOffset,
            raw.unloadedOffset,   raw.prcbOffset,      raw.processOffset,      raw.threadOffset,
            raw.callStackOffset,  raw.callStackSize,   raw.driverListOffset,   raw.driverCount,
            raw.dataPageOffset,   raw.dataPageSize,    raw.debuggerDataOffset, raw.debuggerDataSize,
            raw.dataBlocksOffset, raw.dataBlocksCount};
}

/// DUMP_STRING: a length, then text that ends with a NUL as well. The length is said to be of bytes
/// and is one of characters in real dumps; the NUL leaves no doubt.
std::string text(const KernelReading& reading, std::uint64_t offset) {
    std::u16string wide;
    for (std::uint32_t i = 0; i < longestName; ++i) {
        const auto unit = reading.at<Le16>(offset + sizeof(Le32) + i * sizeof(Le16));
        if (!unit || *unit == 0) break;
        wide += static_cast<char16_t>(*unit + 0);
    }
    return utf16ToUtf8(wide);
}

template <class TriageDriver>
void readDrivers(KernelReading& reading) {
    const Triage& triage = *reading.triage;
    auto& modules = reading.process.modules;
    modules.coverage = Coverage::complete;
    for (std::uint32_t i = 0; i < std::min(triage.driverCount, mostDrivers); ++i) {
        const std::uint64_t place =
            triage.driverListOffset + std::uint64_t{i} * sizeof(TriageDriver);
        const auto raw = reading.at<TriageDriver>(place);
        if (!raw) {
            reading.loss(
                fmt::format("{} drivers promised, {} are in the file", triage.driverCount, i),
                place);
            modules.coverage = Coverage::partial;
            return;
        }
        const Driver driver = driverOf(raw->entry);
        Module module;
        module.range = Range::ofSize(driver.base, driver.size);
        module.imageSize = driver.size;
        module.checksum = driver.checksum;
        module.timestamp = driver.timestamp;
        module.path = text(reading, raw->nameOffset);
        modules.items.push_back(std::move(module));
    }
}

template <class Unloaded, class Count>
void readUnloaded(KernelReading& reading) {
    const std::uint64_t at = reading.triage->unloadedOffset;
    const auto count = at == 0 ? std::nullopt : reading.at<Count>(at);
    if (!count) return;
    auto& unloaded = reading.process.unloadedModules;
    unloaded.coverage = Coverage::complete;
    for (std::uint64_t i = 0; i < *count; ++i) {
        const std::uint64_t place = at + sizeof(Count) + i * sizeof(Unloaded);
        // The ring in the kernel's memory has no more.
        const auto raw = i < unloadedInMemory ? reading.at<Unloaded>(place) : std::nullopt;
        if (!raw) {
            reading.loss(
                fmt::format("{} unloaded drivers promised, {} are in the file", *count + 0U, i),
                place);
            unloaded.coverage = Coverage::partial;
            return;
        }
        std::u16string name;
        const std::size_t units =
            std::min<std::size_t>(raw->name.length / 2U, std::size(raw->text));
        for (std::size_t unit = 0; unit < units; ++unit)
            name += static_cast<char16_t>(raw->text[unit] + 0);
        unloaded.items.push_back({Range::between(raw->begin, raw->end), utf16ToUtf8(name), 0, 0});
    }
}

}  // namespace

Result<void> readTriage(KernelReading& reading) {
    const std::uint64_t at = reading.header.size;
    if (reading.header.is64) {
        if (const auto raw = reading.at<TriageHeader>(at)) reading.triage = widen(*raw);
    } else {
        if (const auto raw = reading.at<TriageHeader32>(at)) reading.triage = widen(*raw);
    }
    if (!reading.triage)
        return fail(Errc::truncated, "the small dump has no lists", reading.source->where(at));
    const Triage& triage = *reading.triage;
    const auto valid = reading.at<Le32>(triage.validOffset);
    if (!valid || *valid != triageValid)
        reading.loss("the small dump was not written to its end", triage.validOffset);
    SegmentSpaceBuilder builder(reading.source);
    const auto add = [&](std::uint64_t address, std::uint32_t size, std::uint32_t offset) {
        if (size != 0) builder.addStored(Range::ofSize(address, size), offset);
    };
    add(triage.topOfStack, triage.callStackSize, triage.callStackOffset);
    add(triage.dataPageAddress, triage.dataPageSize, triage.dataPageOffset);
    add(reading.header.debuggerData, triage.debuggerDataSize, triage.debuggerDataOffset);
    for (std::uint32_t i = 0; i < std::min(triage.dataBlocksCount, mostBlocks); ++i) {
        const std::uint64_t place =
            triage.dataBlocksOffset + std::uint64_t{i} * sizeof(TriageBlock);
        const auto block = reading.at<TriageBlock>(place);
        if (!block) {
            reading.loss(fmt::format("{} blocks of memory promised, {} are in the file",
                                     triage.dataBlocksCount, i),
                         place);
            break;
        }
        add(reading.header.is64 ? block->address + 0 : block->address & UINT32_MAX, block->size,
            block->offset);
    }
    reading.process.memory = builder.build();
    return {};
}

void readTriageDrivers(KernelReading& reading) {
    if (reading.header.is64) {
        readDrivers<TriageDriver64>(reading);
        readUnloaded<UnloadedDriver64, Le64>(reading);
    } else {
        readDrivers<TriageDriver32>(reading);
        readUnloaded<UnloadedDriver32, Le32>(reading);
    }
}

}  // namespace icecore::winkernel
