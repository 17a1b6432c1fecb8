#include "symbols/dwarf/file.h"

#include <string>

#include "bytes/elf_layout.h"

namespace icecore::dwarf {

namespace {
constexpr std::array<std::string_view, static_cast<std::size_t>(SectionId::count)> names = {
    ".debug_info",        ".debug_types", ".debug_abbrev",   ".debug_str",      ".debug_line_str",
    ".debug_str_offsets", ".debug_addr",  ".debug_ranges",   ".debug_rnglists", ".debug_line",
    ".debug_aranges",     ".debug_loc",   ".debug_loclists", ".debug_cu_index", ".debug_tu_index"};
}

const ElfSection* File::find(SectionId id) const {
    std::string name(names[static_cast<std::size_t>(id)]);
    if (split_ && id != SectionId::cu_index && id != SectionId::tu_index) name += ".dwo";
    return image_->section(name);
}

ByteView File::section(SectionId id) const {
    Slot& slot = slots_[static_cast<std::size_t>(id)];
    std::call_once(slot.once, [&] {
        const ElfSection* section = find(id);
        if (section == nullptr) return;
        if (id == SectionId::info && (section->flags & elf::sectionCompressed) != 0)
            decompressBeside();
        if (const auto content = image_->content(*section)) slot.bytes = *content;
    });
    return slot.bytes;
}

void File::decompressBeside() const {
    beside_ = std::jthread([this] {
        for (const SectionId id : {SectionId::abbrev, SectionId::rnglists, SectionId::ranges,
                                   SectionId::line, SectionId::str, SectionId::line_str})
            (void)section(id);
    });
}

const AbbreviationTable& File::abbreviations(std::uint64_t offset) const {
    const ByteView bytes = section(SectionId::abbrev);
    const std::scoped_lock lock(mutex_);
    auto& table = tables_[offset];
    if (!table) table = std::make_unique<AbbreviationTable>(bytes.slice(offset));
    return *table;
}

}  // namespace icecore::dwarf
