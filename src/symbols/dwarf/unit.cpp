// A unit's header, and how entries and the forms of their attributes are read.
#include "symbols/dwarf/unit.h"

#include "symbols/dwarf/constants.h"

namespace icecore::dwarf {

namespace {

std::string_view bytesOf(Cursor& cursor, std::uint64_t size) {
    const ByteView bytes = cursor.bytes(size);
    return {reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(bytes.size())};
}

std::uint64_t threeBytes(Cursor& cursor) {
    const std::uint64_t low = cursor.u16();
    return low | std::uint64_t{cursor.u8()} << 16U;
}

}  // namespace

std::unique_ptr<Unit> Unit::readHeader(const File& file, SectionId section, std::uint64_t offset,
                                       std::uint64_t* next) {
    *next = 0;
    Cursor cursor(file.section(section));
    cursor.seek(offset);
    auto unit = std::make_unique<Unit>();
    unit->file = &file;
    unit->section = section;
    unit->offset = offset;
    std::uint64_t length = cursor.u32();
    if (length == 0xffffffff) {
        unit->offsetSize = 8;
        length = cursor.u64();
    }
    if (!cursor.ok() || length > cursor.remaining()) return nullptr;
    unit->end = cursor.position() + length;
    *next = unit->end;
    unit->version = cursor.u16();
    if (unit->version < 2 || unit->version > 5) return nullptr;
    if (unit->version >= 5) {
        unit->type = cursor.u8();
        unit->addressSize = cursor.u8();
        unit->abbreviationOffset = cursor.unsignedOf(unit->offsetSize);
        if (unit->type == ut_skeleton || unit->type == ut_split_compile) unit->dwoId = cursor.u64();
    } else {
        unit->abbreviationOffset = cursor.unsignedOf(unit->offsetSize);
        unit->addressSize = cursor.u8();
        if (section == SectionId::types) unit->type = ut_type;
    }
    if (unit->isTypeUnit()) {
        unit->signature = cursor.u64();
        unit->typeOffset = cursor.unsignedOf(unit->offsetSize);
    }
    unit->firstEntry = cursor.position();
    if (!cursor.ok() || unit->firstEntry > unit->end ||
        (unit->addressSize != 4 && unit->addressSize != 8))
        return nullptr;
    return unit;
}

Cursor Unit::cursorAt(std::uint64_t at) const {
    Cursor cursor(file->section(section).slice(0, end));
    cursor.seek(at);
    return cursor;
}

const AbbreviationTable& Unit::abbreviations() const {
    return file->abbreviations(abbreviationOffset);
}

bool Unit::readValue(Cursor& cursor, const AttributeSpec& spec, Value& value) const {
    std::uint16_t form = spec.form;
    // The form stands in the entry itself; an indirect one inside another is nonsense.
    if (form == form_indirect) form = static_cast<std::uint16_t>(cursor.uleb());
    value.form = form;
    switch (form) {
    case form_addr: value.number = cursor.unsignedOf(addressSize); break;
    case form_data1:
    case form_ref1:
    case form_flag:
    case form_strx1:
    case form_addrx1: value.number = cursor.u8(); break;
    case form_data2:
    case form_ref2:
    case form_strx2:
    case form_addrx2: value.number = cursor.u16(); break;
    case form_strx3:
    case form_addrx3: value.number = threeBytes(cursor); break;
    case form_data4:
    case form_ref4:
    case form_strx4:
    case form_addrx4:
    case form_ref_sup4: value.number = cursor.u32(); break;
    case form_data8:
    case form_ref8:
    case form_ref_sig8:
    case form_ref_sup8: value.number = cursor.u64(); break;
    case form_sdata: value.number = static_cast<std::uint64_t>(cursor.sleb()); break;
    case form_udata:
    case form_ref_udata:
    case form_strx:
    case form_addrx:
    case form_loclistx:
    case form_rnglistx:
    case form_gnu_addr_index:
    case form_gnu_str_index: value.number = cursor.uleb(); break;
    case form_strp:
    case form_line_strp:
    case form_sec_offset:
    case form_strp_sup:
    case form_gnu_ref_alt:
    case form_gnu_strp_alt: value.number = cursor.unsignedOf(offsetSize); break;
    // Version 2 gave references between units the size of an address.
    case form_ref_addr:
        value.number = cursor.unsignedOf(version == 2 ? addressSize : offsetSize);
        break;
    case form_string: value.text = cursor.cString(); break;
    case form_flag_present: value.number = 1; break;
    case form_implicit_const: value.number = static_cast<std::uint64_t>(spec.constant); break;
    case form_block1: value.text = bytesOf(cursor, cursor.u8()); break;
    case form_block2: value.text = bytesOf(cursor, cursor.u16()); break;
    case form_block4: value.text = bytesOf(cursor, cursor.u32()); break;
    case form_block:
    case form_exprloc: value.text = bytesOf(cursor, cursor.uleb()); break;
    case form_data16: value.text = bytesOf(cursor, 16); break;
    default: return false;
    }
    return cursor.ok();
}

bool Unit::skipAttributes(Cursor& cursor, const Abbreviation& entry) const {
    if (entry.fixed) {
        cursor.skip(entry.fixed->bytes + std::uint64_t{entry.fixed->addresses} * addressSize +
                    std::uint64_t{entry.fixed->offsets} * offsetSize);
        return cursor.ok();
    }
    const AttributeSpec* specs = abbreviations().specs(entry);
    Value value;
    for (std::uint32_t i = 0; i < entry.count; ++i) {
        if (!readValue(cursor, specs[i], value)) return false;
    }
    return true;
}

bool Unit::readAttributes(Cursor& cursor, const Abbreviation& abbreviation, Entry& entry) const {
    entry.tag = abbreviation.tag;
    entry.children = abbreviation.children;
    const AttributeSpec* specs = abbreviations().specs(abbreviation);
    for (std::uint32_t i = 0; i < abbreviation.count; ++i) {
        Value value;
        if (!readValue(cursor, specs[i], value)) return false;
        switch (specs[i].attribute) {
        case at_name: entry.name = value; break;
        case at_linkage_name:
        case at_mips_linkage_name: entry.linkageName = value; break;
        case at_low_pc: entry.lowPc = value; break;
        case at_high_pc: entry.highPc = value; break;
        case at_ranges: entry.ranges = value; break;
        case at_entry_pc: entry.entryPc = value; break;
        case at_sibling: entry.sibling = value; break;
        case at_abstract_origin: entry.origin = value; break;
        case at_specification: entry.specification = value; break;
        case at_call_file: entry.callFile = value; break;
        case at_call_line: entry.callLine = value; break;
        case at_declaration: entry.declaration = value.number != 0; break;
        default: break;
        }
    }
    return true;
}

std::optional<Entry> Unit::entryAt(std::uint64_t at) const {
    if (at < firstEntry || at >= end) return std::nullopt;
    Cursor cursor = cursorAt(at);
    const Abbreviation* abbreviation = abbreviations().find(cursor.uleb());
    Entry entry;
    entry.offset = at;
    if (abbreviation == nullptr || !readAttributes(cursor, *abbreviation, entry))
        return std::nullopt;
    return entry;
}

std::optional<FullEntry> Unit::fullEntryAt(std::uint64_t at) const {
    if (at < firstEntry || at >= end) return std::nullopt;
    Cursor cursor = cursorAt(at);
    FullEntry entry;
    if (!readFullEntry(cursor, entry) || entry.tag == 0) return std::nullopt;
    return entry;
}

bool Unit::readFullEntry(Cursor& cursor, FullEntry& entry) const {
    entry = {};
    entry.offset = cursor.position();
    const std::uint64_t code = cursor.uleb();
    if (!cursor.ok() || code == 0) return cursor.ok();
    const Abbreviation* abbreviation = abbreviations().find(code);
    if (abbreviation == nullptr) return false;
    entry.tag = abbreviation->tag;
    entry.children = abbreviation->children;
    const AttributeSpec* specs = abbreviations().specs(*abbreviation);
    entry.attributes.reserve(abbreviation->count);
    for (std::uint32_t i = 0; i < abbreviation->count; ++i) {
        Value value;
        if (!readValue(cursor, specs[i], value)) return false;
        entry.attributes.emplace_back(specs[i].attribute, value);
    }
    entry.behind = cursor.position();
    return true;
}

bool Unit::children(const FullEntry& parent,
                    const std::function<bool(const FullEntry&)>& visit) const {
    if (!parent.children) return true;
    Cursor cursor = cursorAt(parent.behind);
    FullEntry child;
    while (readFullEntry(cursor, child)) {
        if (child.tag == 0) return true;
        if (!visit(child)) return true;
        if (!child.children) continue;
        const auto sibling = localReference(child.value(at_sibling));
        if (sibling && *sibling > cursor.position() && *sibling < end)
            cursor.seek(*sibling);
        else if (!skipChildren(cursor))
            return false;
    }
    return false;
}

bool Unit::skipChildren(Cursor& cursor) const {
    const AbbreviationTable& table = abbreviations();
    int depth = 1;
    while (depth > 0) {
        const std::uint64_t code = cursor.uleb();
        if (!cursor.ok()) return false;
        if (code == 0) {
            --depth;
            continue;
        }
        const Abbreviation* abbreviation = table.find(code);
        if (abbreviation == nullptr) return false;
        if (abbreviation->children && abbreviation->hasSibling) {
            Entry entry;
            const std::uint64_t here = cursor.position();
            if (!readAttributes(cursor, *abbreviation, entry)) return false;
            const auto sibling = localReference(entry.sibling);
            if (sibling && *sibling > here && *sibling < end) {
                cursor.seek(*sibling);
                continue;
            }
        } else if (!skipAttributes(cursor, *abbreviation)) {
            return false;
        }
        if (abbreviation->children) ++depth;
    }
    return true;
}

void Unit::readOwnEntry() {
    std::call_once(ownEntryOnce_, [&] {
        Cursor cursor = cursorAt(firstEntry);
        const Abbreviation* abbreviation = abbreviations().find(cursor.uleb());
        if (abbreviation == nullptr) return;
        const AttributeSpec* specs = abbreviations().specs(*abbreviation);
        Value nameValue, dirValue, dwoValue, low;
        for (std::uint32_t i = 0; i < abbreviation->count; ++i) {
            Value value;
            if (!readValue(cursor, specs[i], value)) break;
            switch (specs[i].attribute) {
            case at_name: nameValue = value; break;
            case at_comp_dir: dirValue = value; break;
            case at_dwo_name:
            case at_gnu_dwo_name: dwoValue = value; break;
            case at_gnu_dwo_id: dwoId = value.number; break;
            case at_low_pc: low = value; break;
            case at_high_pc: highPc = value; break;
            case at_ranges: ranges = value; break;
            case at_language: language = value.number; break;
            case at_stmt_list: lineOffset = value.number; break;
            case at_str_offsets_base: strOffsetsBase = value.number; break;
            case at_addr_base:
            case at_gnu_addr_base: addrBase = value.number; break;
            case at_rnglists_base: rnglistsBase = value.number; break;
            case at_loclists_base: loclistsBase = value.number; break;
            case at_gnu_ranges_base: rangesBase = value.number; break;
            default: break;
            }
        }
        // A .dwo has one table of each, and does not say so: it starts behind the table's header
        // (7.26, 7.28, 7.29); the older GNU form has no header.
        if (file->split() && version >= 5) {
            if (strOffsetsBase == 0) strOffsetsBase = offsetSize == 8 ? 16 : 8;
            if (rnglistsBase == 0) rnglistsBase = offsetSize == 8 ? 20 : 12;
            if (loclistsBase == 0) loclistsBase = offsetSize == 8 ? 20 : 12;
        }
        strOffsetsBase += parts.strOffsets;
        rnglistsBase += parts.rnglists;
        loclistsBase += parts.loclists;
        name = text(nameValue);
        compDir = text(dirValue);
        dwoName = text(dwoValue);
        if (const auto value = address(low)) {
            lowPc = *value;
            hasLowPc = true;
        } else if (skeleton != nullptr) {
            lowPc = skeleton->lowPc;
        }
    });
}

const LineTable& Unit::lines() const {
    std::call_once(linesOnce_, [&] {
        const ByteView bytes =
            lineOffset ? file->section(SectionId::line).slice(*lineOffset) : ByteView{};
        lines_ = std::make_unique<LineTable>(
            bytes, LineStrings{file->section(SectionId::str), file->section(SectionId::line_str)},
            compDir);
    });
    return *lines_;
}

}  // namespace icecore::dwarf
