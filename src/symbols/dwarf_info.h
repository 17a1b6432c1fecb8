// DWARF, read for one question: which functions, inlined ones too, and which line stand at an
// address.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "images/elf_image.h"

namespace icecore {

namespace dwarf {
class DebugData;
}

struct DwarfFrame {
    std::string linkageName;  ///< mangled, where the compiler recorded it
    std::string name;         ///< qualified by its scopes, no parameters; empty: no function known
    std::string file;
    std::uint32_t line = 0;
    bool inlined = false;
    std::uint64_t entry = 0;     ///< link-time address of the function's (or inlined block's) start
    std::uint64_t rangeLow = 0;  ///< start of the piece that contains the address
};

/// DWARF 2 to 5, 32- and 64-bit format; split units (.dwo) and dwz' common file through `open`.
/// Thread-safe, and lazy down to single compilation units. Hostile input costs answers, nothing
/// else: every loop is bounded by the bytes it reads.
/// Sources: DWARF 5 standard (7.5 units and forms, 6.2 lines, 7.25/2.17 ranges, appendix F split
/// objects), DWARF 2–4 for the older layouts, GCC's wiki pages DebugFission and DwarfDwz for the
/// GNU forms.
class DwarfInfo {
public:
    /// Opens files that debug information refers to, by the path as recorded; null when it cannot.
    using Opener = std::function<std::shared_ptr<const ElfImage>(const std::filesystem::path&)>;

    DwarfInfo(std::shared_ptr<const ElfImage> image, Opener opener);
    ~DwarfInfo();
    DwarfInfo(const DwarfInfo&) = delete;
    DwarfInfo& operator=(const DwarfInfo&) = delete;

    /// Innermost first, the physical function last. When only a line is known: one frame without
    /// a name. Empty when nothing is known.
    [[nodiscard]] std::vector<DwarfFrame> lookUp(std::uint64_t address) const;

    /// What types and variables are read from; lives as long as this.
    [[nodiscard]] dwarf::DebugData& data() const { return *data_; }

private:
    std::unique_ptr<dwarf::DebugData> data_;
};

}  // namespace icecore
