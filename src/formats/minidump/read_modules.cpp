// Modules, loaded and gone, and handles.
#include <algorithm>

#include "base/text.h"
#include "bytes/zeros.h"
#include "formats/minidump/reading.h"

namespace icecore::minidump {

namespace {

constexpr std::uint32_t largestCodeView = 8192;

std::string versionText(const FixedFileInfo& info, bool windows) {
    if (info.signature != fixedFileInfoSignature) return {};
    std::vector<unsigned> parts = {info.fileVersionHigh >> 16U, info.fileVersionHigh & 0xffffU,
                                   info.fileVersionLow >> 16U, info.fileVersionLow & 0xffffU};
    // Windows always writes four numbers; a soname has as many as it needs.
    if (!windows) {
        while (parts.size() > 1 && parts.back() == 0)
            parts.pop_back();
        if (parts.size() == 1 && parts[0] == 0) return {};
    }
    return fmt::format("{}", fmt::join(parts, "."));
}

void readCodeView(Reading& reading, const Location& location, Module& module) {
    if (location.size < 4) return;
    const SharedBytes record = reading.load(
        location.rva, std::min(location.size + 0U, largestCodeView), "a module's debug record");
    Cursor cursor(reading.view(record, location.rva));
    const std::uint32_t kind = cursor.u32();
    if (kind == codeViewBuildId) {
        const ByteView id = cursor.bytes(cursor.remaining());
        // Breakpad writes zeros where it found no build-id.
        if (allZero(id.span())) return;
        module.id.kind = ModuleId::Kind::build_id;
        module.id.bytes.assign(id.span().begin(), id.span().end());
    } else if (kind == codeViewPdb70) {
        cursor.seek(0);
        const auto raw = cursor.structure<CodeViewPdb70>();
        if (!cursor.ok()) return;
        const auto name = cursor.bytes(cursor.remaining());
        std::string_view text(reinterpret_cast<const char*>(name.data()), name.size());
        module.debugFile = text.substr(0, text.find('\0'));
        const bool isLinux =
            reading.process.system.os == Os::linux_os || reading.process.system.os == Os::android;
        if (isLinux) {
            // Old Breakpad: the first 16 bytes of the build-id in the form of a GUID.
            module.id.kind = ModuleId::Kind::build_id;
            module.id.bytes.assign(raw.guid, raw.guid + sizeof raw.guid);
        } else {
            module.id.kind = ModuleId::Kind::pdb;
            module.id.bytes.assign(raw.guid, raw.guid + sizeof raw.guid);
            module.id.age = raw.age;
        }
    }
}

/// What is known of the object behind a handle, in words: a chain of pieces. The system's own
/// structures, whose pointers and ids have the dumped process' width, are in ntdef.h and phnt's
/// ntexapi.h (EVENT_BASIC_INFORMATION, MUTANT_BASIC_INFORMATION, MUTANT_OWNER_INFORMATION,
/// SEMAPHORE_BASIC_INFORMATION). `owner`: the thread of this process that has a mutex.
std::string readObjectInfo(Reading& reading, std::uint64_t rva, Handle& handle,
                           std::uint64_t& owner) {
    constexpr unsigned mostLinks = 64;
    constexpr std::uint32_t largest = 64;
    std::string state;
    const auto add = [&](const std::string& words) {
        state += (state.empty() ? "" : ", ") + words;
    };
    for (unsigned i = 0; rva != 0 && i < mostLinks; ++i) {
        const auto head = reading.source->load(rva, sizeof(ObjectInfo));
        if (!head) break;
        const auto raw = Cursor(ByteView(head->span())).structure<ObjectInfo>();
        const auto content =
            reading.source->load(rva + sizeof(ObjectInfo), std::min(raw.size + 0U, largest));
        if (!content) break;
        Cursor object(ByteView(content->span()));
        switch (raw.type) {
        case objectInfoPosition: {
            const std::uint64_t position = object.u64();
            if (object.ok()) handle.position = position;
            break;
        }
        case objectMutant1: {
            const std::int32_t count = object.i32();
            const std::uint8_t owned = object.u8();
            const std::uint8_t abandoned = object.u8();
            (void)owned;  // by whoever asked: the writer of the dump
            if (!object.ok()) break;
            const std::int64_t taken = 1 - std::int64_t{count};
            add(taken <= 0   ? std::string("free")
                : taken == 1 ? std::string("taken once")
                             : fmt::format("taken {} times", taken));
            if (abandoned != 0) add("abandoned");
            break;
        }
        case objectMutant2: {
            const std::size_t width = raw.size >= 16 ? 8 : 4;
            const std::uint64_t process = object.unsignedOf(width);
            const std::uint64_t thread = object.unsignedOf(width);
            if (!object.ok() || thread == 0) break;
            if (process == reading.process.pid || reading.process.pid == 0) owner = thread;
            add(fmt::format("owned by thread {} of process {}", thread, process));
            break;
        }
        case objectEvent1: {
            const std::uint32_t type = object.u32();
            const std::int32_t signalled = object.i32();
            if (!object.ok()) break;
            add(type == 0 ? "manual reset" : "auto reset");
            add(signalled != 0 ? "set" : "not set");
            break;
        }
        case objectSemaphore1: {
            const std::int32_t count = object.i32();
            const std::int32_t most = object.i32();
            if (object.ok()) add(fmt::format("count {} of {}", count, most));
            break;
        }
        default: break;
        }
        rva = raw.nextRva;
    }
    return state;
}

}  // namespace

void readModuleList(Reading& reading, ByteView content) {
    Process& process = reading.process;
    const std::size_t issuesBefore = reading.issues.items().size();
    const bool windows = process.system.os == Os::windows;
    reading.forEachCounted<RawModule>(content, "the list of modules", [&](const RawModule& raw) {
        Module module;
        module.range = Range::ofSize(raw.base, raw.size);
        module.imageSize = raw.size;
        module.checksum = raw.checksum;
        module.timestamp = raw.time;
        module.path = reading.string(raw.nameRva, "a module's name");
        module.version = versionText(raw.versionInfo, windows);
        readCodeView(reading, raw.codeView, module);
        if (!windows) module.imageSize = 0;  // a PE header's field, and this is no PE file
        reading.moduleBases.push_back(raw.base);
        process.modules.items.push_back(std::move(module));
    });
    // The first module is the program, whatever its address.
    if (!process.modules.empty() && process.executable.empty())
        process.executable = process.modules[0].path;
    std::ranges::stable_sort(process.modules.items, {}, [](const Module& m) { return m.range; });
    const bool damaged = reading.issues.items().size() != issuesBefore;
    process.modules.coverage = damaged ? Coverage::partial : Coverage::complete;
}

void readUnloadedModules(Reading& reading, ByteView content) {
    Process& process = reading.process;
    reading.forEachSized<ListHeader, RawUnloadedModule>(
        content, "the list of unloaded modules", [&](const RawUnloadedModule& raw) {
            UnloadedModule module;
            module.range = Range::ofSize(raw.base, raw.size);
            module.checksum = raw.checksum;
            module.timestamp = raw.time;
            module.path = reading.string(raw.nameRva, "an unloaded module's name");
            process.unloadedModules.items.push_back(std::move(module));
        });
    process.unloadedModules.coverage = Coverage::complete;
}

void readDsoDebug(Reading& reading, ByteView content) {
    // Only the load bias is taken: everything else stands in the list of modules.
    Process& process = reading.process;
    const auto use = [&](std::uint64_t bias, std::uint64_t dynamic) {
        if (dynamic == 0) return;
        for (Module& module : process.modules) {
            if (module.range.contains(dynamic)) module.bias = bias;
        }
    };
    Cursor cursor(content);
    const bool is32 = archInfo(process.system.arch).pointerSize == 4;
    std::uint32_t map = 0;
    std::uint32_t count = 0;
    if (is32) {
        const auto raw = cursor.structure<DsoDebug32>();
        map = raw.mapRva;
        count = raw.count;
    } else {
        const auto raw = cursor.structure<DsoDebug64>();
        map = raw.mapRva;
        count = raw.count;
    }
    if (!cursor.ok()) {
        reading.issues.loss("the linker's list is cut", content.where());
        return;
    }
    // As many as there can be objects: one per module, and some that are no modules.
    constexpr std::uint64_t mostObjects = 20'000;
    const std::uint64_t size = is32 ? sizeof(LinkMap32) : sizeof(LinkMap64);
    if (count > mostObjects) {
        reading.issues.loss(fmt::format("the linker's list claims {} objects", count),
                            content.where());
        return;
    }
    const SharedBytes list = reading.load(map, count * size, "the linker's list");
    const ByteView view = reading.view(list, map);
    if (is32) {
        reading.forEach<LinkMap32>(view, count, size, "the linker's list",
                                   [&](const LinkMap32& raw) { use(raw.bias, raw.dynamic); });
    } else {
        reading.forEach<LinkMap64>(view, count, size, "the linker's list",
                                   [&](const LinkMap64& raw) { use(raw.bias, raw.dynamic); });
    }
}

void readHandleData(Reading& reading, ByteView content) {
    Process& process = reading.process;
    Cursor cursor(content);
    const auto header = cursor.structure<HandleHeader>();
    if (!cursor.ok() || header.headerSize < sizeof(HandleHeader)) {
        reading.issues.loss("the list of handles has a damaged header", content.where());
        return;
    }
    const auto add = [&](const HandleDescriptor& raw) -> Handle& {
        Handle handle;
        handle.value = raw.handle;
        handle.type = reading.string(raw.typeNameRva, "a handle's type");
        handle.name = reading.string(raw.objectNameRva, "a handle's name");
        handle.attributes = raw.attributes;
        handle.access = raw.grantedAccess;
        handle.handleCount = raw.handleCount;
        handle.pointerCount = raw.pointerCount;
        process.handles.items.push_back(std::move(handle));
        return process.handles.items.back();
    };
    // The model has no words for the state of Windows' objects. "handles/owners" has a line for
    // each mutex that a thread of this process has: its handle and the thread's id, in hex.
    std::string states, owners;
    const ByteView list = content.slice(header.headerSize);
    if (header.entrySize >= sizeof(HandleDescriptor2)) {
        reading.forEach<HandleDescriptor2>(
            list, header.count, header.entrySize, "the list of handles",
            [&](const HandleDescriptor2& raw) {
                Handle& handle = add(raw.first);
                std::uint64_t owner = 0;
                const std::string state = readObjectInfo(reading, raw.objectInfoRva, handle, owner);
                if (owner != 0) owners += fmt::format("{:x} {:x}\n", handle.value, owner);
                if (!state.empty())
                    states += fmt::format("{} {}: {}\n", hex(handle.value), handle.type, state);
            });
    } else {
        reading.forEach<HandleDescriptor>(list, header.count, header.entrySize,
                                          "the list of handles",
                                          [&](const HandleDescriptor& raw) { add(raw); });
    }
    if (!states.empty()) {
        reading.snapshot.attachments.push_back(
            {"handles/objects", SharedBytes::own(std::move(states))});
    }
    if (!owners.empty()) {
        reading.snapshot.attachments.push_back(
            {"handles/owners", SharedBytes::own(std::move(owners))});
    }
    process.handles.coverage = Coverage::complete;
}

}  // namespace icecore::minidump
