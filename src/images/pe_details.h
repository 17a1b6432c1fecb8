// What a PE image says about itself beyond its headers: version, how it was built.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "images/pe_image.h"

namespace icecore {

/// The version resource (RT_VERSION).
struct PeVersion {
    std::string fileVersion;     ///< "10.0.19041.1", of the fixed part
    std::string productVersion;  ///< the same
    bool debug = false, prerelease = false, patched = false;
    std::uint32_t flags = 0, flagsMask = 0;       ///< VS_FF_…
    std::uint32_t os = 0, type = 0, subtype = 0;  ///< VOS_…, VFT_…, VFT2_…
    std::uint64_t date = 0;                       ///< FILETIME; hardly anyone fills it in
    std::vector<std::uint32_t> translations;  ///< language in the high half, code page in the low
    /// "CompanyName", "FileDescription"…, of the first language, as UTF-8.
    std::map<std::string, std::string> strings;
};

/// Nothing when the image has none, or when it is not in the dump.
std::optional<PeVersion> peVersion(const PeImage& image);

/// A piece of the image as the linker grouped it (IMAGE_DEBUG_TYPE_POGO).
struct PePogoPiece {
    std::uint32_t address = 0, size = 0;
    std::string name;  ///< ".text$mn"
};

/// The debug directory's records that are neither CodeView nor of the compiler's own use.
struct PeBuild {
    bool reproducible = false;                             ///< REPRO: the time stamp is a hash
    std::string reproHash;                                 ///< lower-case hex; empty: not recorded
    std::string pogo;                                      ///< "LTCG", "PGU"…; empty: none
    std::vector<PePogoPiece> pieces;                       ///< in the file's order
    std::optional<std::uint32_t> extendedCharacteristics;  ///< IMAGE_DLLCHARACTERISTICS_EX_…
    [[nodiscard]] bool cetCompatible() const {
        return extendedCharacteristics && (*extendedCharacteristics & 1) != 0;
    }
};
PeBuild peBuild(const PeImage& image);

}  // namespace icecore
