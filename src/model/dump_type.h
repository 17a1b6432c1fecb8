// WHAT a person asks to save: MINIDUMP_TYPE, meaning the same on every OS.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace icecore {

/// MINIDUMP_TYPE flags (minidumpapiset.h). Values and names are Microsoft's.
enum class DumpFlag : std::uint32_t {
    with_data_segs = 0x1,
    with_full_memory = 0x2,
    with_handle_data = 0x4,
    filter_memory = 0x8,
    scan_memory = 0x10,
    with_unloaded_modules = 0x20,
    with_indirectly_referenced_memory = 0x40,
    filter_module_paths = 0x80,
    with_process_thread_data = 0x100,
    with_private_read_write_memory = 0x200,
    without_optional_data = 0x400,
    with_full_memory_info = 0x800,
    with_thread_info = 0x1000,
    with_code_segs = 0x2000,
};

/// Bits of /proc/PID/coredump_filter: core(5).
enum class CoreFilter : std::uint16_t {
    anonymous_private = 0x1,
    anonymous_shared = 0x2,
    file_private = 0x4,
    file_shared = 0x8,
    elf_headers = 0x10,
    huge_private = 0x20,
    huge_shared = 0x40,
    dax_private = 0x80,
    dax_shared = 0x100,
};
/// What a kernel keeps that nobody has told otherwise: private and shared anonymous memory, ELF
/// headers, private huge pages.
inline constexpr std::uint16_t defaultCoreFilter = 0x33;

/// A set of flags, or the kernel's own choice for a core.
struct DumpType {
    std::uint32_t flags = 0;
    /// What the kernel writes into a core by `coreFilter`. Adding flags turns it off.
    bool kernelDefault = false;
    std::uint16_t coreFilter = defaultCoreFilter;  ///< CoreFilter; of kernelDefault alone

    [[nodiscard]] bool has(DumpFlag flag) const {
        return (flags & static_cast<std::uint32_t>(flag)) != 0;
    }
    /// Whether the kernel would keep this kind of mapping; false without kernelDefault.
    [[nodiscard]] bool keeps(CoreFilter kind) const {
        return kernelDefault && (coreFilter & static_cast<std::uint16_t>(kind)) != 0;
    }
    bool operator==(const DumpType&) const = default;
};

struct DumpFlagInfo {
    std::string_view name;  ///< "MiniDumpWithDataSegs"
    DumpFlag flag;
    std::string_view onLinux;  ///< one sentence: what it saves there
};
/// All flags, in the order of their values.
std::span<const DumpFlagInfo> dumpFlags();

struct DumpPreset {
    std::string_view name;  ///< "mini", "triage", "heap", "full"
    DumpType type;
    std::string_view description;
};
std::span<const DumpPreset> dumpPresets();

/// Parses a preset, flag names ("MiniDumpWithFullMemory", "WithFullMemory", any case) joined by
/// `|` or `,`, or a number ("0x1806"); or "kernel-default", or "coredump_filter=0x7f".
/// `usage` naming the word that is unknown.
Result<DumpType> parseDumpType(std::string_view text);
/// The preset's name, or flag names joined by `|`, or "MiniDumpNormal", or "kernel-default", or
/// "coredump_filter=0x7f".
std::string toString(DumpType type);

}  // namespace icecore
