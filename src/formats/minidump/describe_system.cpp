// Streams of the system, of handles, of made code, and of crash reporters, as text.
#include <fmt/format.h>

#include <array>
#include <map>

#include "formats/minidump/describing.h"

namespace icecore::minidump {

namespace {

/// The newest of a structure's versions that fits into the stream; what it lacks follows as bytes.
void newestThatFits(Describing& to, const StreamEntry& entry,
                    std::initializer_list<std::string_view> versions, const std::string& label) {
    const StructSpec* best = nullptr;
    for (const std::string_view name : versions) {
        const StructSpec& spec = textSpec(name);
        if (spec.fixedSize() <= entry.size) best = &spec;
    }
    if (best == nullptr) return;
    to.out.structure(*best, entry.rva, label);
    if (entry.size > best->fixedSize()) {
        to.out.bytes(entry.rva + best->fixedSize(), entry.size - best->fixedSize(),
                     label + ".rest");
    }
}

/// MINIDUMP_HANDLE_OBJECT_INFORMATION, each leading to the next.
void objectInfos(Describing& to, std::uint64_t rva, const std::string& label) {
    // Real chains have two or three links.
    constexpr unsigned mostLinks = 64;
    for (unsigned i = 0; rva != 0 && i < mostLinks; ++i) {
        const auto info = to.load<ObjectInfo>(rva);
        if (!info) return;
        const bool fresh = to.out.structure(textSpec("MINIDUMP_HANDLE_OBJECT_INFORMATION"), rva,
                                            fmt::format("{}.{}", label, i),
                                            sizeof(ObjectInfo) + std::uint64_t{info->size});
        if (!fresh) return;  // shared, or a circle
        rva = info->nextRva;
    }
}

/// A 32-bit count at `location`, then entries.
template <class T, class Use>
void countedAt(Describing& to, const Location& location, std::string_view spec,
               const std::string& label, Use use) {
    if (location.size < sizeof(Le32)) return;
    to.counted<T>({0, location.size, location.rva}, spec, label, use);
}

void utf8(Describing& to, std::uint64_t rva, std::string label) {
    const auto length = rva == 0 ? std::nullopt : to.load<Le32>(rva);
    if (!length) return;
    const std::uint64_t size = sizeof(Le32) + *length;
    const auto end = to.load<std::array<std::byte, 1>>(rva + size);
    const bool terminated = end && (*end)[0] == std::byte{0};
    to.out.structure(textSpec("MinidumpUTF8String"), rva, std::move(label),
                     size + (terminated ? 1 : 0));
}

void dictionary(Describing& to, const Location& location, const std::string& label) {
    countedAt<CrashpadEntry>(to, location, "MinidumpSimpleStringDictionaryEntry", label,
                             [&](auto i, const CrashpadEntry& raw) {
                                 utf8(to, raw.keyRva, fmt::format("{}.{}.key", label, i));
                                 utf8(to, raw.valueRva, fmt::format("{}.{}.value", label, i));
                             });
}

void crashpadModule(Describing& to, const Location& location, const std::string& label) {
    const auto raw = to.load<CrashpadModule>(location.rva);
    if (!raw) return;
    to.out.structure(textSpec("MinidumpModuleCrashpadInfo"), location.rva, label);
    countedAt<Le32>(to, raw->listAnnotations, "Rva", label + ".list", [&](auto i, const Le32& rva) {
        utf8(to, rva, fmt::format("{}.list.{}.text", label, i));
    });
    dictionary(to, raw->simpleAnnotations, label + ".simple");
    countedAt<CrashpadAnnotation>(
        to, raw->annotationObjects, "MinidumpAnnotation", label + ".objects",
        [&](auto i, const CrashpadAnnotation& annotation) {
            utf8(to, annotation.nameRva, fmt::format("{}.objects.{}.name", label, i));
            const auto length = to.load<Le32>(annotation.valueRva);
            if (!length || annotation.valueRva == 0) return;
            to.out.structure(textSpec(annotation.type == crashpadString ? "MinidumpUTF8String"
                                                                        : "MinidumpByteArray"),
                             annotation.valueRva, fmt::format("{}.objects.{}.value", label, i),
                             sizeof(Le32) + std::uint64_t{*length});
        });
}

}  // namespace

void describeMiscInfo(Describing& to, const StreamEntry& entry) {
    newestThatFits(to, entry,
                   {"MINIDUMP_MISC_INFO", "MINIDUMP_MISC_INFO_2", "MINIDUMP_MISC_INFO_3",
                    "MINIDUMP_MISC_INFO_4", "MINIDUMP_MISC_INFO_5"},
                   "misc");
}

void describeSystemMemory(Describing& to, const StreamEntry& entry) {
    newestThatFits(to, entry, {"MINIDUMP_SYSTEM_MEMORY_INFO_1", "MINIDUMP_SYSTEM_MEMORY_INFO_2"},
                   "systemmemory");
}

void describeVmCounters(Describing& to, const StreamEntry& entry) {
    // The two differ in their middle, so the revision decides and not the size alone.
    const auto revision = to.load<Le16>(entry.rva);
    if (revision && *revision >= 2)
        newestThatFits(to, entry, {"MINIDUMP_PROCESS_VM_COUNTERS_2"}, "vmcounters");
    else
        newestThatFits(to, entry, {"MINIDUMP_PROCESS_VM_COUNTERS_1"}, "vmcounters");
}

void describeTokens(Describing& to, const StreamEntry& entry) {
    const auto header = to.load<TokenListHeader>(entry.rva);
    if (!header) return;
    to.out.structure(textSpec("MINIDUMP_TOKEN_INFO_LIST"), entry.rva, "tokens");
    std::uint64_t at = entry.rva + std::max<std::uint64_t>(header->headerSize, sizeof *header);
    const std::uint64_t end = std::uint64_t{entry.rva} + entry.size;
    for (std::uint32_t i = 0; i < header->count && at < end; ++i) {
        const auto token = to.load<TokenHeader>(at);
        if (!token || token->size < sizeof(TokenHeader)) return;
        if (!to.out.structure(textSpec("MINIDUMP_TOKEN_INFO_HEADER"), at,
                              fmt::format("tokens.{}", i), token->size))
            return;
        at += token->size;
    }
}

void describeHandles(Describing& to, const StreamEntry& entry) {
    const auto header = to.load<HandleHeader>(entry.rva);
    if (!header) return;
    to.out.structure(textSpec("MINIDUMP_HANDLE_DATA_STREAM"), entry.rva, "handles");
    const bool second = header->entrySize >= sizeof(HandleDescriptor2);
    const std::uint64_t stride =
        std::max<std::uint64_t>(header->entrySize, sizeof(HandleDescriptor));
    const std::uint64_t at = entry.rva + std::uint64_t{header->headerSize};
    to.list(second ? "MINIDUMP_HANDLE_DESCRIPTOR_2" : "MINIDUMP_HANDLE_DESCRIPTOR", at,
            header->count, stride, "handles");
    to.entries<HandleDescriptor>(at, header->count, stride,
                                 [&](auto i, const HandleDescriptor& raw) {
                                     to.string(raw.typeNameRva, fmt::format("handle.{}.type", i));
                                     to.string(raw.objectNameRva, fmt::format("handle.{}.name", i));
                                 });
    if (!second) return;
    to.entries<HandleDescriptor2>(
        at, header->count, stride, [&](auto i, const HandleDescriptor2& raw) {
            objectInfos(to, raw.objectInfoRva, fmt::format("handle.{}.info", i));
        });
}

void describeHandleOperations(Describing& to, const StreamEntry& entry) {
    const auto header = to.load<HandleHeader>(entry.rva);
    if (!header) return;
    to.out.structure(textSpec("MINIDUMP_HANDLE_DATA_STREAM"), entry.rva, "operations");
    to.list("AVRF_HANDLE_OPERATION", entry.rva + std::uint64_t{header->headerSize}, header->count,
            std::max<std::uint64_t>(header->entrySize, sizeof(HandleOperation)), "operations");
}

void describeFunctionTables(Describing& to, const StreamEntry& entry) {
    const auto header = to.load<FunctionTableHeader>(entry.rva);
    if (!header) return;
    to.out.structure(textSpec("MINIDUMP_FUNCTION_TABLE_STREAM"), entry.rva, "tables");
    std::uint64_t at =
        entry.rva + std::max<std::uint64_t>(header->headerSize, sizeof *header) + header->padding;
    const std::uint64_t end = std::uint64_t{entry.rva} + entry.size;
    for (std::uint32_t i = 0; i < header->count && at < end; ++i) {
        const auto table = to.load<FunctionTableDescriptor>(at);
        if (!table) return;
        const std::string label = fmt::format("tables.{}", i);
        if (!to.out.structure(textSpec("MINIDUMP_FUNCTION_TABLE_DESCRIPTOR"), at, label)) return;
        at += std::max<std::uint64_t>(header->descriptorSize, sizeof *table);
        to.out.bytes(at, header->nativeSize, label + ".native");
        at += header->nativeSize;
        const std::uint64_t size = std::uint64_t{table->entryCount} * header->entrySize;
        to.out.bytes(at, size, label + ".entries");
        if (size > to.source->size()) return;
        at += size + table->padding;
    }
}

void describeCrashpad(Describing& to, const StreamEntry& entry) {
    to.out.structure(textSpec("MinidumpCrashpadInfo"), entry.rva, "crashpad", entry.size);
    const auto bytes = to.source->load(entry.rva, crashpadInfoOldSize);
    if (!bytes || entry.size < crashpadInfoOldSize) return;
    std::array<std::byte, sizeof(CrashpadInfo)> padded{};
    std::ranges::copy(bytes->span(), padded.begin());
    const auto raw = Cursor(ByteView(padded)).structure<CrashpadInfo>();
    dictionary(to, raw.simpleAnnotations, "crashpad.simple");
    countedAt<CrashpadModuleLink>(to, raw.moduleList, "MinidumpModuleCrashpadInfoLink",
                                  "crashpad.modules", [&](auto i, const CrashpadModuleLink& link) {
                                      crashpadModule(to, link.info,
                                                     fmt::format("crashpad.module.{}", i));
                                  });
}

void describeMacCrashInfo(Describing& to, const StreamEntry& entry) {
    to.out.structure(textSpec("MDRawMacCrashInfo"), entry.rva, "crash_info");
    const auto raw = to.load<MacCrashInfo>(entry.rva);
    if (!raw) return;
    const std::size_t count = std::min<std::size_t>(raw->recordCount, std::size(raw->records));
    for (std::size_t i = 0; i < count; ++i) {
        const Location& place = raw->records[i];
        if (place.size >= sizeof(MacCrashRecord))
            to.out.structure(textSpec("MDRawMacCrashInfoRecord"), place.rva,
                             fmt::format("crash_info.{}", i), place.size);
    }
}

}  // namespace icecore::minidump
