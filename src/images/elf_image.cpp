#include "images/elf_image.h"

#include <algorithm>

#include "bytes/cursor.h"
#include "bytes/elf_layout.h"
#include "images/elf_image_parts.h"
#include "images/section_codec.h"

namespace icecore {

namespace {

constexpr std::uint64_t pageSize = 4096;

}  // namespace

const ElfSegment* ElfImage::Parts::segmentAt(std::uint64_t address) const {
    for (const ElfSegment& segment : segments) {
        if (segment.type == elf::segmentLoad &&
            Range::ofSize(segment.address, segment.memorySize).contains(address))
            return &segment;
    }
    return nullptr;
}

ElfImage::ElfImage(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
ElfImage::~ElfImage() = default;

const std::string& ElfImage::name() const {
    return parts_->name;
}
Arch ElfImage::arch() const {
    return parts_->arch;
}
bool ElfImage::is64() const {
    return parts_->is64;
}
std::uint16_t ElfImage::type() const {
    return parts_->type;
}
std::uint64_t ElfImage::entry() const {
    return parts_->entry;
}
const std::vector<ElfSegment>& ElfImage::segments() const {
    return parts_->segments;
}
const std::vector<ElfSection>& ElfImage::sections() const {
    return parts_->sections;
}
const Issues& ElfImage::issues() const {
    return parts_->issues;
}
bool ElfImage::fromProcessMemory() const {
    return parts_->memory != nullptr;
}
std::shared_ptr<const Source> ElfImage::source() const {
    return parts_->source;
}

const ElfSection* ElfImage::section(std::string_view name) const {
    auto found = std::ranges::find(parts_->sections, name, &ElfSection::name);
    if (found == parts_->sections.end() && name.starts_with(".debug_")) {
        const std::string compressed = ".z" + std::string(name.substr(1));
        found = std::ranges::find(parts_->sections, compressed, &ElfSection::name);
    }
    return found == parts_->sections.end() ? nullptr : &*found;
}

Result<ByteView> ElfImage::content(const ElfSection& section) const {
    if (section.type == elf::sectionNoBits || section.type == elf::sectionNull) return ByteView{};
    if (fromProcessMemory()) {
        const ByteView bytes = parts_->fromProcess(section.address, section.size);
        if (bytes.size() == section.size) return bytes;
        return fail(Errc::unreadable, "section is not wholly in memory", bytes.where());
    }
    ASSIGN_OR_RETURN(const ByteView stored, parts_->fromFile(section.offset, section.size));
    const bool gnu = section.name.starts_with(gnuCompressedPrefix);
    if ((section.flags & elf::sectionCompressed) == 0 && !gnu) return stored;
    // Several at once: none waits for another's.
    auto& kept = [&]() -> Parts::Decompressed& {
        const std::scoped_lock lock(parts_->mutex);
        return parts_->decompressed[section.offset];
    }();
    std::call_once(kept.once, [&] {
        kept.bytes = gnu ? decompressGnuSection(stored) : decompressSection(stored, parts_->is64);
    });
    if (!kept.bytes) return std::unexpected(kept.bytes.error());
    return ByteView(kept.bytes->span(), parts_->name);
}

ByteView ElfImage::atAddress(std::uint64_t address, std::uint64_t size) const {
    if (fromProcessMemory()) return parts_->fromProcess(address, size);
    const ElfSegment* segment = parts_->segmentAt(address);
    if (segment == nullptr) return {};
    const std::uint64_t inside = address - segment->address;
    const std::uint64_t fileSize = parts_->source->size();
    const auto offset = checkedAdd(segment->offset, inside);
    if (inside >= segment->fileSize || !offset || *offset >= fileSize) return {};
    const std::uint64_t there = std::min(segment->fileSize - inside, fileSize - *offset);
    const auto bytes = parts_->fromFile(*offset, std::min(size, there));
    return bytes ? *bytes : ByteView{};
}

std::uint64_t ElfImage::imageBase() const {
    std::uint64_t lowest = UINT64_MAX;
    for (const ElfSegment& segment : parts_->segments) {
        if (segment.type == elf::segmentLoad) lowest = std::min(lowest, segment.address);
    }
    return lowest == UINT64_MAX ? 0 : alignDown(lowest, pageSize);
}

std::uint64_t ElfImage::imageSize() const {
    std::uint64_t end = 0;
    for (const ElfSegment& segment : parts_->segments) {
        if (segment.type == elf::segmentLoad)
            end = std::max(end, Range::ofSize(segment.address, segment.memorySize).end());
    }
    const std::uint64_t base = imageBase();
    return end > base ? end - base : 0;
}

std::span<const std::byte> ElfImage::buildId() const {
    std::call_once(parts_->buildIdOnce, [&] {
        const auto search = [&](ByteView bytes, std::uint64_t alignment) {
            for (const ElfNote& note : parseNotes(bytes, alignment, nullptr)) {
                if (note.name == "GNU" && note.type == elf::noteGnuBuildId &&
                    !note.content.empty() && note.content.size() <= 64)
                    parts_->buildId.assign(note.content.span().begin(), note.content.span().end());
                if (!parts_->buildId.empty()) return;
            }
        };
        // Sections first: in a file that keeps only debug information the program headers still
        // speak of the stripped file's layout.
        for (const ElfSection& section : parts_->sections) {
            if (section.type != elf::sectionNote || !parts_->buildId.empty()) continue;
            if (const auto bytes = content(section)) search(*bytes, 4);
        }
        for (const ElfSegment& segment : parts_->segments) {
            if (segment.type != elf::segmentNote || !parts_->buildId.empty()) continue;
            const std::uint64_t alignment = segment.alignment == 8 ? 8 : 4;
            if (fromProcessMemory()) {
                search(parts_->fromProcess(segment.address, segment.memorySize), alignment);
            } else if (const auto bytes = parts_->fromFile(segment.offset, segment.fileSize)) {
                search(*bytes, alignment);
            }
        }
    });
    return parts_->buildId;
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> ElfImage::Parts::dynamicEntries(
    const ElfImage& image) const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> entries;
    for (const ElfSegment& segment : segments) {
        if (segment.type != elf::segmentDynamic) continue;
        Cursor cursor(image.atAddress(segment.address, segment.memorySize));
        const std::size_t entrySize = is64 ? 16 : 8;
        while (cursor.canHold(1, entrySize)) {
            const std::uint64_t tag = cursor.unsignedOf(entrySize / 2);
            const std::uint64_t value = cursor.unsignedOf(entrySize / 2);
            if (tag == elf::dynamicNull) break;
            entries.emplace_back(tag, value);
        }
        break;
    }
    return entries;
}

std::string_view ElfImage::soname() const {
    std::call_once(parts_->sonameOnce, [&] {
        std::uint64_t strings = 0, stringsSize = 0, soname = 0;
        for (const auto& [tag, value] : parts_->dynamicEntries(*this)) {
            if (tag == elf::dynamicStrings) strings = linkAddress(value);
            if (tag == elf::dynamicStringsSize) stringsSize = value;
            if (tag == elf::dynamicSoname) soname = value;
        }
        if (strings == 0 || soname == 0 || soname >= stringsSize) return;
        const auto at = checkedAdd(strings, soname);
        if (!at) return;
        constexpr std::uint64_t longest = 4096;
        Cursor text(atAddress(*at, std::min(stringsSize - soname, longest)));
        parts_->soname = text.cString();
    });
    return parts_->soname;
}

std::uint64_t ElfImage::linkAddress(std::uint64_t pointer) const {
    return fromProcessMemory() && parts_->loaded.contains(pointer) ? pointer - parts_->bias
                                                                   : pointer;
}

std::uint64_t ElfImage::bias() const {
    return parts_->bias;
}

std::optional<std::uint64_t> ElfImage::dynamicValue(std::uint64_t tag) const {
    for (const auto& [key, value] : parts_->dynamicEntries(*this)) {
        if (key == tag) return value;
    }
    return std::nullopt;
}

std::optional<ElfImage::DebugLink> ElfImage::debugLink() const {
    // A NUL-terminated name, padding to four bytes, CRC-32 of the debug file (GDB manual,
    // "Separate Debug Files").
    const ElfSection* link = section(".gnu_debuglink");
    if (link == nullptr) return std::nullopt;
    const auto bytes = content(*link);
    if (!bytes) return std::nullopt;
    Cursor cursor(*bytes);
    DebugLink result;
    result.name = cursor.cString();
    cursor.align(4);
    result.crc = cursor.u32();
    if (!cursor.ok() || result.name.empty()) return std::nullopt;
    return result;
}

std::vector<ElfNote> parseNotes(ByteView bytes, std::uint64_t alignment, std::string* damage) {
    std::vector<ElfNote> notes;
    Cursor cursor(bytes);
    const std::uint64_t padding = alignment == 8 ? 8 : 4;
    while (cursor.remaining() >= sizeof(elf::NoteHeader)) {
        const std::uint64_t start = cursor.position();
        const auto header = cursor.structure<elf::NoteHeader>();
        ElfNote note;
        note.type = header.type;
        const ByteView name = cursor.bytes(header.nameSize);
        // Padding behind the last note may be cut.
        cursor.skip(
            std::min(cursor.remaining(), alignUp(cursor.position(), padding) - cursor.position()));
        note.content = cursor.bytes(header.contentSize);
        if (!cursor.ok()) {
            if (damage != nullptr) *damage = "a note ends too early at " + bytes.where(start);
            break;
        }
        cursor.skip(
            std::min(cursor.remaining(), alignUp(cursor.position(), padding) - cursor.position()));
        const auto* text = reinterpret_cast<const char*>(name.data());
        note.name = std::string_view(text, name.size());
        note.name = note.name.substr(0, note.name.find('\0'));
        notes.push_back(note);
    }
    return notes;
}

}  // namespace icecore
