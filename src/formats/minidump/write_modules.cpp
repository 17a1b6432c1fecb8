// Modules, loaded and gone, handles, and the linker's list.
#include <algorithm>
#include <array>

#include "base/text.h"
#include "bytes/zeros.h"
#include "formats/minidump/writing.h"
#include "images/link_map.h"
#include "model/elf_essentials.h"

namespace icecore::minidump {

namespace {

/// Up to four numbers of 16 bits each; all zero when the text is no such version.
FixedFileInfo versionOf(std::string_view text) {
    FixedFileInfo info{};
    std::array<std::uint32_t, 4> parts{};
    const auto words = split(text, '.');
    if (text.empty() || words.size() > parts.size()) return info;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto number = parseDecimal(words[i]);
        if (!number || *number > 0xffff) return info;
        parts[i] = static_cast<std::uint32_t>(*number);
    }
    info.signature = fixedFileInfoSignature;
    info.structVersion = fixedFileInfoVersion;
    info.fileVersionHigh = parts[0] << 16 | parts[1];
    info.fileVersionLow = parts[2] << 16 | parts[3];
    info.productVersionHigh = info.fileVersionHigh;
    info.productVersionLow = info.fileVersionLow;
    return info;
}

Location writeCodeView(Writing& writing, const Module& module) {
    std::vector<std::byte> record;
    if (module.id.kind == ModuleId::Kind::build_id) {
        appendInteger(record, codeViewBuildId);
        record.insert(record.end(), module.id.bytes.begin(), module.id.bytes.end());
    } else if (module.id.kind == ModuleId::Kind::pdb && module.id.bytes.size() == 16) {
        appendInteger(record, codeViewPdb70);
        record.insert(record.end(), module.id.bytes.begin(), module.id.bytes.end());
        appendInteger(record, module.id.age);
        for (const char c : module.debugFile)
            record.push_back(static_cast<std::byte>(c));
        record.push_back(std::byte{0});
    } else {
        return {};
    }
    writing.metadata.align(4);
    const auto rva = static_cast<std::uint32_t>(writing.metadata.append(record));
    return {static_cast<std::uint32_t>(record.size()), rva};
}

/// The program first, as readers take the first module for it; the rest as they lie.
std::vector<const Module*> modulesInOrder(const Writing& writing) {
    std::vector<const Module*> modules;
    for (const Module& module : writing.process.modules) {
        if (writing.plan.keeps(module)) modules.push_back(&module);
    }
    const auto program = std::ranges::find_if(modules, [&](const Module* module) {
        return module->path == writing.process.executable && !module->path.empty();
    });
    if (program != modules.end()) std::rotate(modules.begin(), program, program + 1);
    return modules;
}

std::uint32_t clamp32(std::uint64_t size) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(size, UINT32_MAX));
}

}  // namespace

std::optional<std::uint64_t> writeModuleList(Writing& writing) {
    std::vector<RawModule> raws;
    for (const Module* module : modulesInOrder(writing)) {
        RawModule raw{};
        raw.base = module->range.begin();
        raw.size = clamp32(module->range.size());
        if (module->range.size() > UINT32_MAX) {
            writing.report.losses.loss("a minidump cannot hold a module's size of 4 GiB and more",
                                       module->path);
        }
        raw.checksum = module->checksum;
        raw.time = module->timestamp;
        raw.nameRva = writing.metadata.string(writing.pathFor(module->path));
        raw.versionInfo = versionOf(module->version);
        raw.codeView = writeCodeView(writing, *module);
        raws.push_back(raw);
    }
    writing.metadata.align(8);
    const auto begin = writing.metadata.append(Le32(static_cast<std::uint32_t>(raws.size())));
    for (const RawModule& raw : raws)
        writing.metadata.append(raw);
    return begin;
}

std::optional<std::uint64_t> writeUnloadedModules(Writing& writing) {
    if (!writing.plan.unloadedModules) return std::nullopt;
    std::vector<RawUnloadedModule> raws;
    for (const UnloadedModule& module : modulesGone(writing.process)) {
        RawUnloadedModule raw{};
        raw.base = module.range.begin();
        raw.size = clamp32(module.range.size());
        raw.checksum = module.checksum;
        raw.time = module.timestamp;
        raw.nameRva = writing.metadata.string(writing.pathFor(module.path));
        raws.push_back(raw);
    }
    writing.metadata.align(8);
    const auto begin = writing.metadata.append(ListHeader{
        sizeof(ListHeader), sizeof(RawUnloadedModule), static_cast<std::uint32_t>(raws.size())});
    for (const RawUnloadedModule& raw : raws)
        writing.metadata.append(raw);
    return begin;
}

std::optional<std::uint64_t> writeHandleData(Writing& writing) {
    if (!writing.plan.handles) return std::nullopt;
    std::vector<HandleDescriptor2> raws;
    for (const Handle& handle : writing.process.handles) {
        HandleDescriptor2 raw{};
        raw.first.handle = handle.value;
        raw.first.typeNameRva = writing.metadata.string(handle.type);
        raw.first.objectNameRva = writing.metadata.string(writing.pathFor(handle.name));
        raw.first.attributes = handle.attributes;
        raw.first.grantedAccess = handle.access;
        raw.first.handleCount = handle.handleCount;
        raw.first.pointerCount = handle.pointerCount;
        if (handle.position) {
            writing.metadata.align(4);
            raw.objectInfoRva = static_cast<std::uint32_t>(
                writing.metadata.append(ObjectInfo{0, objectInfoPosition, sizeof(Le64)}));
            writing.metadata.append(Le64(*handle.position));
        }
        raws.push_back(raw);
    }
    writing.metadata.align(8);
    const auto begin =
        writing.metadata.append(HandleHeader{sizeof(HandleHeader), sizeof(HandleDescriptor2),
                                             static_cast<std::uint32_t>(raws.size()), 0});
    for (const HandleDescriptor2& raw : raws)
        writing.metadata.append(raw);
    return begin;
}

std::optional<std::uint64_t> writeDsoDebug(Writing& writing) {
    const Process& process = writing.process;
    if (process.system.os != Os::linux_os) return std::nullopt;
    const std::uint64_t debug = linkerDebugAddress(process);
    if (debug == 0) return std::nullopt;
    const auto objects = readLinkMap(process, writing.report.losses);
    if (objects.empty()) return std::nullopt;
    const std::size_t word = writing.is32() ? 4 : 8;
    const auto field = [&](std::uint64_t index) {
        return process.memory->readPointer(debug + index * word, word).value_or(0);
    };
    // struct r_debug (link.h): version, map, brk, state, ldbase.
    const auto debugVersion = static_cast<std::uint32_t>(field(0));
    const std::uint64_t brk = field(2);
    const std::uint64_t base = field(4);
    const std::uint64_t dynamic = objects.front().dynamic;

    Metadata& metadata = writing.metadata;
    std::vector<std::uint32_t> names;
    names.reserve(objects.size());
    for (const LoadedObject& object : objects)
        names.push_back(metadata.string(writing.pathFor(object.name)));
    metadata.align(8);
    const auto map = static_cast<std::uint32_t>(metadata.size());
    const auto low = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
    for (std::size_t i = 0; i < objects.size(); ++i) {
        if (word == 4)
            metadata.append(LinkMap32{low(objects[i].bias), names[i], low(objects[i].dynamic)});
        else
            metadata.append(LinkMap64{objects[i].bias, names[i], objects[i].dynamic});
    }
    metadata.align(8);
    const auto count = static_cast<std::uint32_t>(objects.size());
    const std::uint64_t begin =
        word == 4 ? metadata.append(
                        DsoDebug32{debugVersion, map, count, low(brk), low(base), low(dynamic)})
                  : metadata.append(DsoDebug64{debugVersion, map, count, brk, base, dynamic});
    // The program's dynamic section, as far as its end mark.
    constexpr std::size_t mostEntries = 512;
    for (std::size_t i = 0; i < mostEntries; ++i) {
        std::array<std::byte, 16> entry{};
        const auto bytes = std::span(entry).first(2 * word);
        if (!process.memory->readExactly(dynamic + i * 2 * word, bytes)) break;
        metadata.append(bytes);
        if (allZero(bytes)) break;
    }
    return begin;
}

}  // namespace icecore::minidump
