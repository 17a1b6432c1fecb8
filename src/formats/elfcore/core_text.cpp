#include "formats/elfcore/core_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/range.h"
#include "base/text.h"
#include "bytes/cursor.h"
#include "bytes/elf_layout.h"
#include "formats/dump_text.h"
#include "formats/elfcore/core_text_specs.h"
#include "formats/elfcore/own_notes.h"
#include "images/elf_image.h"

namespace icecore::elfcore {

namespace {

/// Entries that are shown one by one; more are shown as bytes.
constexpr std::size_t mostSegments = 200'000;
constexpr std::size_t mostFiles = 200'000;
/// Notes beyond are shown as bytes.
constexpr std::uint64_t mostNoteBytes = std::uint64_t{16} << 20;

class Describer {
public:
    explicit Describer(std::shared_ptr<const Source> source)
        : source_(source), out_(std::move(source)) {}

    Result<std::string> describe() {
        const auto image = ElfImage::open(source_);
        const auto start = source_->load(0, std::min<std::uint64_t>(source_->size(), 64));
        if (start && start->size() > elf::identClass) {
            is64_ = start->span()[elf::identClass] == std::byte{elf::class64};
            out_.structure(coreSpec(is64_ ? "ELF64_HEADER" : "ELF32_HEADER"), 0, "header");
        }
        if (image && start) {
            describeTables(*start);
            arch_ = (*image)->arch();
            const auto& segments = (*image)->segments();
            for (const ElfSegment& segment : segments) {
                if (segment.type == elf::segmentNote) describeNotes(segment);
            }
            std::size_t index = 0;
            for (const ElfSegment& segment : segments) {
                if (segment.type == elf::segmentLoad && segment.fileSize > 0)
                    out_.bytes(segment.offset, segment.fileSize, fmt::format("memory.{}", index));
                ++index;
            }
        }
        return out_.print(fmt::format("core {}, {} bytes", source_->name(), source_->size()));
    }

private:
    /// Where the header says its tables are, whatever is there.
    void describeTables(const SharedBytes& start) {
        Cursor cursor(ByteView(start.span()));
        std::uint64_t programs = 0, sections = 0;
        std::size_t programCount = 0, sectionCount = 0;
        const auto read = [&](const auto& header) {
            programs = header.programOffset;
            sections = header.sectionOffset;
            programCount = header.programCount;
            sectionCount = header.sectionCount;
        };
        if (is64_)
            read(cursor.structure<elf::Header64>());
        else
            read(cursor.structure<elf::Header32>());
        if (!cursor.ok()) return;
        if (is64_ && sectionCount > 0 && programCount == elf::extendedProgramCount)
            programCount = extendedCount(sections);
        const StructSpec& section = coreSpec(sized("ELF64_SECTION", "ELF32_SECTION"));
        for (std::size_t i = 0; i < sectionCount; ++i)
            out_.structure(section, sections + i * section.fixedSize(),
                           fmt::format("section.{}", i));
        const StructSpec& spec = coreSpec(is64_ ? "ELF64_PROGRAM" : "ELF32_PROGRAM");
        for (std::size_t i = 0; i < std::min(programCount, mostSegments); ++i) {
            const std::uint64_t at = programs + i * spec.fixedSize();
            if (at >= source_->size()) break;
            out_.structure(spec, at, fmt::format("segment.{}", i));
        }
    }

    [[nodiscard]] std::size_t extendedCount(std::uint64_t sections) const {
        const auto bytes = source_->load(sections, sizeof(elf::Section64));
        if (!bytes) return 0;
        return Cursor(ByteView(bytes->span())).structure<elf::Section64>().info;
    }

    void describeNotes(const ElfSegment& segment) {
        const std::uint64_t there =
            segment.offset < source_->size() ? source_->size() - segment.offset : 0;
        const std::uint64_t size = std::min({segment.fileSize, there, mostNoteBytes});
        const auto bytes = source_->load(segment.offset, size);
        if (!bytes) return;
        const std::uint64_t alignment = segment.alignment == 8 ? 8 : 4;
        const ByteView view(bytes->span(), source_->name(), segment.offset);
        std::uint64_t at = segment.offset;
        for (const ElfNote& item : parseNotes(view, alignment, nullptr)) {
            const std::uint64_t content = item.content.base();
            const std::string label = fmt::format("note.{}", noteCount_++);
            out_.structure(coreSpec("NOTE"), at, label, content - at);
            describeContent(item, content, label + ".content");
            at = content + alignUp(item.content.size(), alignment);
        }
    }

    void describeContent(const ElfNote& item, std::uint64_t at, const std::string& label) {
        const std::uint64_t size = item.content.size();
        if (item.name == ownNoteName) return describeOwn(item, at, label);
        const auto wholeOr = [&](std::string_view spec) {
            const StructSpec& found = coreSpec(spec);
            const bool fits = found.open() ? size >= found.fixedSize() : size == found.fixedSize();
            if (!fits || !out_.structure(found, at, label, size)) out_.bytes(at, size, label);
        };
        if (item.name != "CORE") return out_.bytes(at, size, label);
        switch (item.type) {
        case elf::notePrStatus:
            if (arch_ == Arch::x86_64) return wholeOr("PRSTATUS_X64");
            if (arch_ == Arch::x86) return wholeOr("PRSTATUS_X86");
            return wholeOr(sized("PRSTATUS_64", "PRSTATUS_32"));
        case elf::notePrPsInfo: return wholeOr(sized("PRPSINFO_64", "PRPSINFO_32"));
        case elf::noteSigInfo: return wholeOr(sized("SIGINFO_64", "SIGINFO_32"));
        case elf::noteAuxv: {
            const StructSpec& entry = coreSpec(sized("AUXV_64", "AUXV_32"));
            for (std::uint64_t i = 0; i < size / entry.fixedSize(); ++i)
                out_.structure(entry, at + i * entry.fixedSize(), fmt::format("auxv.{}", i));
            return;
        }
        case elf::noteFile: return describeFiles(item, at, label);
        default: return out_.bytes(at, size, label);
        }
    }

    /// Which of two structures is this file's.
    [[nodiscard]] std::string_view sized(std::string_view of64, std::string_view of32) const {
        return is64_ ? of64 : of32;
    }

    void describeFiles(const ElfNote& item, std::uint64_t at, const std::string& label) {
        const StructSpec& list = coreSpec(sized("FILE_LIST_64", "FILE_LIST_32"));
        const StructSpec& entry = coreSpec(sized("FILE_ENTRY_64", "FILE_ENTRY_32"));
        const std::uint64_t word = is64_ ? 8 : 4;
        Cursor cursor(item.content);
        const std::uint64_t count = cursor.unsignedOf(word);
        cursor.skip(word);
        if (!cursor.canHold(count, entry.fixedSize()) || count > mostFiles)
            return out_.bytes(at, item.content.size(), label);
        out_.structure(list, at, label);
        for (std::uint64_t i = 0; i < count; ++i)
            out_.structure(entry, at + list.fixedSize() + i * entry.fixedSize(),
                           fmt::format("file.{}", i));
        cursor.skip(count * entry.fixedSize());
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::uint64_t from = cursor.position();
            (void)cursor.cString();
            if (!cursor.ok()) return;
            out_.structure(coreSpec("ICECORE_TEXT"), at + from, fmt::format("file.{}.name", i),
                           cursor.position() - from);
        }
    }

    void describeOwn(const ElfNote& item, std::uint64_t at, const std::string& label) {
        const std::uint64_t size = item.content.size();
        if (item.type != noteUnread) {
            if (size > 0) out_.structure(coreSpec("ICECORE_TEXT"), at, label, size);
            return;
        }
        Cursor cursor(item.content);
        const std::uint64_t count = cursor.u64();
        cursor.skip(8);
        if (!cursor.canHold(count, 16)) return out_.bytes(at, size, label);
        out_.structure(coreSpec("UNREAD_LIST"), at, label);
        for (std::uint64_t i = 0; i < count; ++i)
            out_.structure(coreSpec("UNREAD_ENTRY"), at + 16 + i * 16, fmt::format("unread.{}", i));
    }

    std::shared_ptr<const Source> source_;
    DumpDescription out_;
    bool is64_ = true;
    Arch arch_ = Arch::unknown;
    std::size_t noteCount_ = 0;
};

}  // namespace

Result<std::string> describeCore(std::shared_ptr<const Source> source) {
    return Describer(std::move(source)).describe();
}

Result<std::vector<std::byte>> buildCore(std::string_view text) {
    return buildFromText(text, coreSpecs());
}

}  // namespace icecore::elfcore
