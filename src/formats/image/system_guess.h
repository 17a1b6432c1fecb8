// What the bytes of a machine's memory say of its system, where its file does not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "formats/image/translation.h"

namespace icecore::image {

/// Guesses: anything may lie in memory, another machine's banner too.
struct SystemGuess {
    Os os = Os::unknown;
    std::string version;     ///< "6.1.0-13-amd64"; empty of Windows
    std::string banner;      ///< "Linux version 6.1.0…"; of Windows its kernel's PDB and identifier
    std::uint64_t at = 0;    ///< where the banner lies, or else the kernel's VMCOREINFO
    std::string kernelInfo;  ///< VMCOREINFO, where it was found
    std::optional<Translation> tables;  ///< as VMCOREINFO tells them
    bool gaveUp = false;                ///< so much was read that there may be more
};

/// Looks for Linux' banner (linux_banner, init/version.c) and VMCOREINFO (a page that begins with
/// "OSRELEASE=", kernel/crash_core.c), and for the record in a Windows kernel's image that names
/// its PDB (RSDS). Reads from the lowest address on until it knows, or `mostBytes`; not what is
/// known to be zero.
SystemGuess guessSystem(const AddressSpace& memory, std::uint64_t mostBytes);

}  // namespace icecore::image
