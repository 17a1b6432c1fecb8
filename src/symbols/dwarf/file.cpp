#include "symbols/dwarf/file.h"

#include <string>

namespace icecore::dwarf {

namespace {
constexpr std::array<std::string_view, static_cast<std::size_t>(SectionId::count)> names = {
    ".debug_info",        ".debug_abbrev",  ".debug_str",    ".debug_line_str",
    ".debug_str_offsets", ".debug_addr",    ".debug_ranges", ".debug_rnglists",
    ".debug_line",        ".debug_aranges", ".debug_loc",    ".debug_loclists"};
}

ByteView File::section(SectionId id) const {
    Slot& slot = slots_[static_cast<std::size_t>(id)];
    std::call_once(slot.once, [&] {
        std::string name(names[static_cast<std::size_t>(id)]);
        if (split_) name += ".dwo";
        const ElfSection* section = image_->section(name);
        if (section == nullptr) return;
        if (const auto content = image_->content(*section)) slot.bytes = *content;
    });
    return slot.bytes;
}

const AbbreviationTable& File::abbreviations(std::uint64_t offset) const {
    const ByteView bytes = section(SectionId::abbrev);
    const std::scoped_lock lock(mutex_);
    auto& table = tables_[offset];
    if (!table) table = std::make_unique<AbbreviationTable>(bytes.slice(offset));
    return *table;
}

}  // namespace icecore::dwarf
