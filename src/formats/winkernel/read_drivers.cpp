// What the kernel's own memory tells: its drivers, loaded and gone, and the debugger's data.
#include <algorithm>

#include "base/text.h"
#include "formats/winkernel/reading.h"

namespace icecore::winkernel {

namespace {

constexpr std::uint32_t mostDrivers = 4096;

/// TimeDateStamp of the image at `base`, from its own headers (IMAGE_DOS_HEADER, e_lfanew at 0x3c;
/// IMAGE_FILE_HEADER behind the signature).
std::optional<std::uint32_t> imageTimestamp(const KernelReading& reading, std::uint64_t base) {
    constexpr std::uint64_t headerPointer = 0x3c, timestamp = 8, farthest = 4096;
    constexpr std::uint32_t signature = 0x4550;  // "PE\0\0"
    const AddressSpace& memory = *reading.process.memory;
    const auto at = memory.readInteger<std::uint32_t>(base + headerPointer);
    if (!at || *at > farthest) return std::nullopt;
    if (memory.readInteger<std::uint32_t>(base + *at) != signature) return std::nullopt;
    return memory.readInteger<std::uint32_t>(base + *at + timestamp);
}

template <class LoadedModule>
std::optional<Driver> driverAt(const KernelReading& reading, std::uint64_t address,
                               std::uint64_t movedTimestamp) {
    const auto raw = reading.inMemory<LoadedModule>(address);
    if (!raw) return std::nullopt;
    Driver driver = driverOf(*raw);
    const auto moved =
        reading.header.build >= firstBuildWithMovedTimestamp
            ? reading.process.memory->readInteger<std::uint32_t>(address + movedTimestamp)
            : std::nullopt;
    if (const auto own = imageTimestamp(reading, driver.base))
        driver.timestamp = *own;
    else if (moved)
        driver.timestamp = *moved;
    return driver;
}

template <class Unloaded>
void readUnloaded(KernelReading& reading) {
    const std::uint64_t pointer = reading.debuggerPointer(debugger_data::unloadedDrivers);
    const auto ring = pointer == 0 ? std::nullopt : reading.pointerAt(pointer);
    if (!ring || *ring == 0) return;
    auto& unloaded = reading.process.unloadedModules;
    unloaded.coverage = Coverage::complete;
    for (std::uint32_t i = 0; i < unloadedInMemory; ++i) {
        const auto raw = reading.inMemory<Unloaded>(*ring + std::uint64_t{i} * sizeof(Unloaded));
        if (!raw) {
            unloaded.coverage = Coverage::partial;
            return;
        }
        if (raw->name.buffer == 0) continue;
        unloaded.items.push_back({Range::between(raw->begin, raw->end),
                                  reading.text(raw->name.buffer, raw->name.length), 0, 0});
    }
}

}  // namespace

std::uint64_t KernelReading::debuggerPointer(std::uint32_t field) const {
    if (field + sizeof(std::uint64_t) > debuggerData.size()) return 0;
    const auto value = loadInteger<std::uint64_t>(debuggerData.data() + field);
    return header.is64 ? value : value & UINT32_MAX;
}

std::uint16_t KernelReading::debuggerOffset(std::uint32_t field) const {
    if (field + sizeof(std::uint16_t) > debuggerData.size()) return 0;
    return loadInteger<std::uint16_t>(debuggerData.data() + field);
}

std::string KernelReading::text(std::uint64_t address, std::size_t bytes) const {
    constexpr std::size_t longest = 2048;
    std::vector<std::byte> raw(std::min(bytes, longest) & ~std::size_t{1});
    if (process.memory->read(address, raw).bytes != raw.size()) return {};
    std::u16string wide(raw.size() / 2, u'\0');
    for (std::size_t i = 0; i < wide.size(); ++i)
        wide[i] = static_cast<char16_t>(loadInteger<std::uint16_t>(raw.data() + 2 * i));
    return utf16ToUtf8(wide);
}

void readDebuggerData(KernelReading& reading) {
    std::vector<std::byte> bytes(debugger_data::wanted);
    const ReadOutcome got = reading.process.memory->read(reading.header.debuggerData, bytes);
    bytes.resize(got.bytes);
    if (bytes.size() < debugger_data::processorBlock) return;
    // Since Windows 8 the block in memory is encrypted until somebody debugs; a triage dump has it
    // plain, a full one where the kernel decoded it before it wrote.
    if (loadInteger<std::uint32_t>(bytes.data() + debugger_data::tag) != debuggerDataTag) return;
    reading.debuggerData = std::move(bytes);
}

/// A ring of entries through the kernel's memory.
void readLoadedModules(KernelReading& reading) {
    const std::uint64_t head = reading.header.loadedModules;
    auto& modules = reading.process.modules;
    modules.coverage = Coverage::complete;
    auto next = reading.pointerAt(head);
    for (std::uint32_t i = 0; next && *next != head && i < mostDrivers; ++i) {
        const auto driver = reading.header.is64
                                ? driverAt<LoadedModule64>(reading, *next, movedTimestamp64)
                                : driverAt<LoadedModule32>(reading, *next, movedTimestamp32);
        if (!driver) {
            next.reset();
            break;
        }
        Module module;
        module.range = Range::ofSize(driver->base, driver->size);
        module.imageSize = driver->size;
        module.checksum = driver->checksum;
        module.timestamp = driver->timestamp;
        module.path = reading.text(driver->name, driver->nameBytes);
        if (module.path.empty())
            module.path = reading.text(driver->baseName, driver->baseNameBytes);
        modules.items.push_back(std::move(module));
        next = driver->next;
    }
    if (!next || *next != head) {
        modules.coverage = Coverage::partial;
        reading.snapshot.issues.loss("the list of loaded drivers could not be followed to its end",
                                     head == 0 ? "its head is 0" : hex(head));
    }
    if (reading.header.is64)
        readUnloaded<UnloadedInMemory64>(reading);
    else
        readUnloaded<UnloadedInMemory32>(reading);
}

}  // namespace icecore::winkernel
