// An ElfImage out of a file: its header, its program headers, its section headers.
#include <algorithm>

#include "base/text.h"
#include "bytes/cursor.h"
#include "bytes/elf_layout.h"
#include "bytes/text_at.h"
#include "images/elf_image.h"
#include "images/elf_image_parts.h"

namespace icecore {

namespace {

Arch archOf(std::uint16_t machine) {
    switch (machine) {
    case elf::machine386: return Arch::x86;
    case elf::machineX86_64: return Arch::x86_64;
    case elf::machineArm: return Arch::arm;
    case elf::machineAarch64: return Arch::arm64;
    default: return Arch::unknown;
    }
}

template <class Raw>
ElfSegment segmentOf(const Raw& raw) {
    return {raw.type,     raw.flags,      raw.offset,   raw.virtualAddress,
            raw.fileSize, raw.memorySize, raw.alignment};
}

template <class Raw>
ElfSection sectionOf(const Raw& raw) {
    ElfSection section;
    section.type = raw.type;
    section.flags = raw.flags;
    section.address = raw.address;
    section.offset = raw.offset;
    section.size = raw.size;
    section.entrySize = raw.entrySize;
    section.link = raw.link;
    section.info = raw.info;
    return section;
}

/// Reads one section header: number `index` of the table.
Result<ElfSection> readSection(const ElfImage::Parts& parts, std::uint64_t tableOffset,
                               std::uint64_t index, std::uint32_t* name) {
    const auto at = checkedAdd(tableOffset, index * parts.sectionSize());
    if (!at) return fail(Errc::malformed, "section table lies beyond the file", parts.name);
    ASSIGN_OR_RETURN(const ByteView bytes, parts.fromFile(*at, parts.sectionSize()));
    Cursor cursor(bytes);
    if (parts.is64) {
        const auto raw = cursor.structure<elf::Section64>();
        if (name != nullptr) *name = raw.name;
        return sectionOf(raw);
    }
    const auto raw = cursor.structure<elf::Section32>();
    if (name != nullptr) *name = raw.name;
    return sectionOf(raw);
}

/// Fills parts.sections. What cannot be read of the table costs the table, not the image: a core
/// that was cut has lost its section headers, and still has everything else.
Result<void> readSections(ElfImage::Parts& parts, const ElfImage::Parts::Tables& tables) {
    if (tables.sectionCount == 0) return {};
    if (tables.sectionEntrySize != parts.sectionSize())
        return fail(Errc::malformed, "section headers have a strange size", parts.name);
    const std::uint64_t bytes = std::uint64_t{tables.sectionCount} * parts.sectionSize();
    ASSIGN_OR_RETURN(const ByteView table, parts.fromFile(tables.sectionOffset, bytes));
    std::vector<std::uint32_t> names;
    names.reserve(tables.sectionCount);
    parts.sections.reserve(tables.sectionCount);
    Cursor cursor(table);
    for (std::uint32_t i = 0; i < tables.sectionCount; ++i) {
        if (parts.is64) {
            const auto raw = cursor.structure<elf::Section64>();
            names.push_back(raw.name);
            parts.sections.push_back(sectionOf(raw));
        } else {
            const auto raw = cursor.structure<elf::Section32>();
            names.push_back(raw.name);
            parts.sections.push_back(sectionOf(raw));
        }
    }
    if (tables.nameSection == 0) return {};
    if (tables.nameSection >= parts.sections.size())
        return fail(Errc::malformed, "the section names' index is beyond the table", parts.name);
    const ElfSection& strings = parts.sections[tables.nameSection];
    if (strings.type == elf::sectionNoBits) return {};
    ASSIGN_OR_RETURN(const ByteView text, parts.fromFile(strings.offset, strings.size));
    for (std::size_t i = 0; i < names.size(); ++i)
        parts.sections[i].name = textAt(text, names[i]);
    return {};
}

}  // namespace

Result<ByteView> ElfImage::Parts::fromFile(std::uint64_t offset, std::uint64_t size) const {
    const auto end = checkedAdd(offset, size);
    if (!end || *end > source->size()) {
        return fail(Errc::truncated, hex(size) + " bytes promised beyond the end of the file",
                    source->where(offset));
    }
    if (const auto whole = source->mapped(); !whole.empty() || size == 0) {
        return ByteView(whole, name).slice(offset, size);
    }
    const std::scoped_lock lock(mutex);
    auto& piece = pieces[offset];
    if (piece.size() < size) {
        ASSIGN_OR_RETURN(SharedBytes bytes, source->load(offset, size));
        outgrown.push_back(std::move(piece));
        piece = std::move(bytes);
    }
    return ByteView(piece.span(), name, offset).slice(0, size);
}

Result<ElfImage::Parts::Tables> ElfImage::Parts::readHeader(ByteView bytes) {
    Cursor cursor(bytes);
    const ByteView ident = cursor.bytes(elf::identSize);
    if (!cursor.ok() || !std::ranges::equal(ident.span().first(4), elf::magic))
        return fail(Errc::malformed, "not an ELF file", name);
    const auto identByte = [&](std::size_t i) {
        return std::to_integer<std::uint8_t>(ident.span()[i]);
    };
    if (identByte(elf::identData) == elf::dataBig)
        return fail(Errc::unsupported, "big-endian ELF is not supported", name);
    const std::uint8_t fileClass = identByte(elf::identClass);
    if (identByte(elf::identData) != elf::dataLittle ||
        (fileClass != elf::class32 && fileClass != elf::class64))
        return fail(Errc::malformed, "ELF header has an unknown class or byte order", name);
    is64 = fileClass == elf::class64;
    Cursor whole(bytes);
    const auto take = [&](const auto& raw) {
        arch = archOf(raw.machine);
        type = raw.type;
        entry = raw.entry;
        return Tables{raw.programOffset,   raw.sectionOffset, raw.programCount,
                      raw.sectionCount,    raw.nameSection,   raw.programEntrySize,
                      raw.sectionEntrySize};
    };
    const Tables tables =
        is64 ? take(whole.structure<elf::Header64>()) : take(whole.structure<elf::Header32>());
    TRY(whole.status("the ELF header"));
    return tables;
}

void ElfImage::Parts::readSegments(ByteView bytes) {
    const std::size_t count = bytes.size() / programSize();
    segments.reserve(count);
    Cursor cursor(bytes);
    for (std::size_t i = 0; i < count; ++i) {
        segments.push_back(is64 ? segmentOf(cursor.structure<elf::Program64>())
                                : segmentOf(cursor.structure<elf::Program32>()));
    }
}

Result<std::shared_ptr<const ElfImage>> ElfImage::open(std::shared_ptr<const Source> source) {
    auto parts = std::make_unique<Parts>();
    parts->name = source->name();
    parts->source = std::move(source);
    const std::uint64_t fileSize = parts->source->size();
    if (fileSize == 0) return fail(Errc::truncated, "the file is empty", parts->name);
    ASSIGN_OR_RETURN(const ByteView header,
                     parts->fromFile(0, std::min<std::uint64_t>(fileSize, 64)));
    ASSIGN_OR_RETURN(Parts::Tables tables, parts->readHeader(header));

    // Extended numbering (gABI, "section header 0"): only then is section 0 needed early.
    const bool extended = (tables.sectionCount == 0 && tables.sectionOffset != 0) ||
                          tables.programCount == elf::extendedProgramCount ||
                          tables.nameSection == elf::extendedIndex;
    if (extended) {
        if (const auto first = readSection(*parts, tables.sectionOffset, 0, nullptr); !first) {
            parts->issues.loss(first.error());
        } else {
            if (tables.sectionCount == 0) {
                // A count beyond 32 bits is a lie; the table read below finds it does not fit.
                tables.sectionCount =
                    static_cast<std::uint32_t>(std::min<std::uint64_t>(first->size, UINT32_MAX));
            }
            if (tables.programCount == elf::extendedProgramCount && first->info != 0)
                tables.programCount = first->info;
            if (tables.nameSection == elf::extendedIndex) tables.nameSection = first->link;
        }
    }

    if (tables.programCount != 0) {
        if (tables.programEntrySize != parts->programSize())
            return fail(Errc::malformed, "program headers have a strange size", parts->name);
        const std::uint64_t wanted = std::uint64_t{tables.programCount} * parts->programSize();
        const std::uint64_t there =
            tables.programOffset < fileSize ? fileSize - tables.programOffset : 0;
        if (there < wanted) {
            parts->issues.loss("the program headers end too early: " +
                                   std::to_string(there / parts->programSize()) + " of " +
                                   std::to_string(tables.programCount) + " are there",
                               parts->source->where(tables.programOffset));
        }
        ASSIGN_OR_RETURN(
            const ByteView table,
            parts->fromFile(std::min(tables.programOffset, fileSize), std::min(there, wanted)));
        parts->readSegments(table);
    }
    if (const auto read = readSections(*parts, tables); !read) parts->issues.loss(read.error());
    return std::make_shared<const ElfImage>(std::move(parts));
}

}  // namespace icecore
