// Streams of Linux dumps whose content is a file of /proc or /etc as it stood, and the names under
// which a Snapshot keeps such files.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "formats/minidump/layout.h"

namespace icecore::minidump {

struct LinuxFile {
    std::uint32_t type;
    std::string_view attachment;
};

inline constexpr std::array linuxFiles = {
    LinuxFile{0x47670003, "linux/cpuinfo"},
    LinuxFile{0x47670004, "linux/status"},
    LinuxFile{0x47670005, "linux/lsb-release"},
    LinuxFile{streamLinuxCmdline, "linux/cmdline"},
    LinuxFile{streamLinuxEnviron, "linux/environ"},
    LinuxFile{streamLinuxAuxv, "linux/auxv"},
    LinuxFile{streamLinuxMaps, "linux/maps"},
    // LLDB's and Facebook's, then Mozilla's.
    LinuxFile{0x4767000b, "linux/stat"},
    LinuxFile{0x4767000c, "linux/uptime"},
    LinuxFile{0x4767000d, "linux/fd"},
    LinuxFile{streamMozillaLimits, "linux/limits"},
};

}  // namespace icecore::minidump
