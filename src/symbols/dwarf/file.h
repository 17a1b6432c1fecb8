// One ELF file with DWARF sections.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "bytes/byte_view.h"
#include "images/elf_image.h"
#include "symbols/dwarf/abbreviations.h"

namespace icecore::dwarf {

enum class SectionId : std::uint8_t {
    info,
    types,  ///< type units before version 5
    abbrev,
    str,
    line_str,
    str_offsets,
    addr,
    ranges,
    rnglists,
    line,
    aranges,
    loc,
    loclists,
    cu_index,  ///< of a package (.dwp) only: which units are where
    tu_index,
    count
};

/// Sections are shown in place, or decompressed at the first use. Thread-safe.
class File {
public:
    /// `split`: a .dwo file or a package of them, whose sections' names end so.
    File(std::shared_ptr<const ElfImage> image, bool split)
        : image_(std::move(image)), split_(split) {}

    [[nodiscard]] const ElfImage& image() const { return *image_; }
    [[nodiscard]] bool split() const { return split_; }
    /// Empty when there is none or it is damaged. The first look at compressed .debug_info has the
    /// others that a line needs decompressed beside it.
    [[nodiscard]] ByteView section(SectionId id) const;
    /// The abbreviations at an offset of .debug_abbrev; parsed once.
    [[nodiscard]] const AbbreviationTable& abbreviations(std::uint64_t offset) const;

private:
    struct Slot {
        std::once_flag once;
        ByteView bytes;
    };
    [[nodiscard]] const ElfSection* find(SectionId id) const;
    void decompressBeside() const;

    std::shared_ptr<const ElfImage> image_;
    bool split_;
    mutable std::array<Slot, static_cast<std::size_t>(SectionId::count)> slots_;
    mutable std::mutex mutex_;
    mutable std::map<std::uint64_t, std::unique_ptr<const AbbreviationTable>> tables_;
    mutable std::jthread beside_;  // last: it uses all of the above
};

}  // namespace icecore::dwarf
