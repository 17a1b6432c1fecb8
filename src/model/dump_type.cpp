#include "model/dump_type.h"

#include <array>

#include "base/text.h"

namespace icecore {

namespace {

using enum DumpFlag;

constexpr std::string_view namePrefix = "MiniDump";
constexpr std::string_view kernelDefaultName = "kernel-default";
constexpr std::string_view coreFilterName = "coredump_filter=";
constexpr std::uint64_t knownCoreFilter = 0x1ff;

// Values and names: MINIDUMP_TYPE, minidumpapiset.h. docs/dump-types.md says more about each.
constexpr std::array<DumpFlagInfo, 14> flagTable = {{
    {"MiniDumpWithDataSegs", with_data_segs,
     "the writable segments of every module: .data, .bss, .got and what relocation made read-only"},
    {"MiniDumpWithFullMemory", with_full_memory,
     "all memory that can be read, except what the program marked MADV_DONTDUMP"},
    {"MiniDumpWithHandleData", with_handle_data,
     "open file descriptors: kind, path, flags, position"},
    {"MiniDumpFilterMemory", filter_memory,
     "stacks keep only pointers to code and stacks; every other word becomes zero"},
    {"MiniDumpScanMemory", scan_memory,
     "only modules that stacks or registers point into are listed, besides the program itself"},
    {"MiniDumpWithUnloadedModules", with_unloaded_modules,
     "mappings that outlived their deleted file and belong to no module; the linker keeps no list"},
    {"MiniDumpWithIndirectlyReferencedMemory", with_indirectly_referenced_memory,
     "1 KiB of private memory around every address found on a stack or in a register"},
    {"MiniDumpFilterModulePaths", filter_module_paths,
     "modules and mappings are named without their directories"},
    {"MiniDumpWithProcessThreadData", with_process_thread_data,
     "thread-local storage, arguments, environment and auxiliary vector, the linker's list"},
    {"MiniDumpWithPrivateReadWriteMemory", with_private_read_write_memory,
     "all private memory that is readable and writable: heaps, stacks, written data"},
    {"MiniDumpWithoutOptionalData", without_optional_data,
     "no memory around faults, no arguments and no environment"},
    {"MiniDumpWithFullMemoryInfo", with_full_memory_info,
     "the list of all mappings with their protection"},
    {"MiniDumpWithThreadInfo", with_thread_info,
     "times, start address and affinity of every thread"},
    {"MiniDumpWithCodeSegs", with_code_segs, "the code of every module and its unwind tables"},
}};

constexpr std::uint32_t bits(std::initializer_list<DumpFlag> flags) {
    std::uint32_t all = 0;
    for (const DumpFlag flag : flags)
        all |= static_cast<std::uint32_t>(flag);
    return all;
}

constexpr std::uint32_t heapBits =
    bits({with_data_segs, with_handle_data, with_unloaded_modules, with_process_thread_data,
          with_private_read_write_memory, with_full_memory_info, with_thread_info});
constexpr std::uint32_t fullBits = bits({with_full_memory, with_handle_data, with_unloaded_modules,
                                         with_full_memory_info, with_thread_info});
constexpr std::uint32_t triageBits =
    bits({filter_memory, with_unloaded_modules, filter_module_paths, without_optional_data,
          with_thread_info});

constexpr std::array<DumpPreset, 4> presetTable = {{
    {"mini", {0, false}, "MiniDumpNormal: stacks, registers, modules"},
    {"triage", {triageBits, false}, "stack traces with as little private data as possible"},
    {"heap", {heapBits, false}, "everything private and writable, without code and files"},
    {"full", {fullBits, false}, "all memory"},
}};

constexpr std::uint32_t knownBits() {
    std::uint32_t all = 0;
    for (const DumpFlagInfo& info : flagTable)
        all |= static_cast<std::uint32_t>(info.flag);
    return all;
}

/// One word of a type, or nothing when it names nothing.
Result<DumpType> parseWord(std::string_view word) {
    for (const DumpPreset& preset : presetTable) {
        if (equalsIgnoreCase(word, preset.name)) return preset.type;
    }
    if (equalsIgnoreCase(word, kernelDefaultName)) return DumpType{0, true};
    if (equalsIgnoreCase(word.substr(0, coreFilterName.size()), coreFilterName)) {
        const std::string_view mask = word.substr(coreFilterName.size());
        const auto bits = mask.starts_with("0x") ? parseHex(mask.substr(2)) : parseHex(mask);
        if (!bits || (*bits & ~knownCoreFilter) != 0)
            return fail(Errc::usage, "coredump_filter takes a hexadecimal mask of at most 0x1ff");
        return DumpType{0, true, static_cast<std::uint16_t>(*bits)};
    }
    if (const auto number = parseNumber(word)) {
        if (const std::uint64_t unknown = *number & ~std::uint64_t{knownBits()}; unknown != 0)
            return fail(Errc::usage, "no dump type has the bits " + hex(unknown));
        return DumpType{static_cast<std::uint32_t>(*number), false};
    }
    const auto names = [&](std::string_view name) {
        return equalsIgnoreCase(word, name) ||
               equalsIgnoreCase(word, name.substr(namePrefix.size()));
    };
    if (names("MiniDumpNormal")) return DumpType{};
    for (const DumpFlagInfo& info : flagTable) {
        if (names(info.name)) return DumpType{static_cast<std::uint32_t>(info.flag), false};
    }
    return fail(Errc::usage, "unknown dump type '" + printable(word) +
                                 "'; there are mini, triage, heap, full, and the flags of "
                                 "MINIDUMP_TYPE by name or number");
}

}  // namespace

std::span<const DumpFlagInfo> dumpFlags() {
    return flagTable;
}

std::span<const DumpPreset> dumpPresets() {
    return presetTable;
}

Result<DumpType> parseDumpType(std::string_view text) {
    DumpType type;
    bool first = true;
    while (first || !text.empty()) {
        const std::size_t end = text.find_first_of("|,");
        const std::string_view word = trim(text.substr(0, end));
        if (word.empty()) return fail(Errc::usage, "a dump type has an empty name in it");
        ASSIGN_OR_RETURN(const DumpType part, parseWord(word));
        // The kernel's choice stands only alone: anything added to it turns it off.
        type.kernelDefault = part.kernelDefault && (first || type.kernelDefault);
        type.coreFilter = type.kernelDefault ? part.coreFilter : defaultCoreFilter;
        type.flags |= part.flags;
        first = false;
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
        if (text.empty()) return fail(Errc::usage, "a dump type ends after a separator");
    }
    return type;
}

std::string toString(DumpType type) {
    if (type.kernelDefault)
        return type.coreFilter == defaultCoreFilter
                   ? std::string(kernelDefaultName)
                   : std::string(coreFilterName) + hex(std::uint64_t{type.coreFilter});
    for (const DumpPreset& preset : presetTable) {
        if (preset.type == type) return std::string(preset.name);
    }
    std::string text;
    for (const DumpFlagInfo& info : flagTable) {
        if (!type.has(info.flag)) continue;
        if (!text.empty()) text += '|';
        text += info.name;
    }
    if (const std::uint32_t unknown = type.flags & ~knownBits(); unknown != 0) {
        if (!text.empty()) text += '|';
        text += hex(unknown);
    }
    return text;
}

}  // namespace icecore
