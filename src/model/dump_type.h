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

/// A set of flags, or the kernel's own choice for a core.
struct DumpType {
    std::uint32_t flags = 0;
    /// What Linux' default coredump_filter (0x33) keeps: private and shared anonymous memory,
    /// ELF headers, private huge pages. Only the default of a core; adding flags turns it off.
    bool kernelDefault = false;

    [[nodiscard]] bool has(DumpFlag flag) const {
        return (flags & static_cast<std::uint32_t>(flag)) != 0;
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
/// `|` or `,`, or a number ("0x1806"). `usage` naming the word that is unknown.
Result<DumpType> parseDumpType(std::string_view text);
/// The preset's name, or flag names joined by `|`, or "MiniDumpNormal", or "kernel-default".
std::string toString(DumpType type);

}  // namespace icecore
