#include "formats/elfcore/core_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/range.h"
#include "base/text.h"
#include "bytes/cursor.h"
#include "bytes/elf_layout.h"
#include "formats/dump_text.h"
#include "formats/elfcore/core_layout.h"
#include "formats/elfcore/core_registers.h"
#include "formats/elfcore/own_notes.h"
#include "images/elf_image.h"

namespace icecore::elfcore {

namespace {

using enum FieldKind;

/// Entries that are shown one by one; more are shown as bytes.
constexpr std::size_t mostSegments = 200'000;
constexpr std::size_t mostFiles = 200'000;
/// Notes beyond are shown as bytes.
constexpr std::uint64_t mostNoteBytes = std::uint64_t{16} << 20;

constexpr std::array header64 = {
    FieldSpec{"Ident", bytes, 16},         FieldSpec{"Type", count, 2},
    FieldSpec{"Machine", count, 2},        FieldSpec{"Version", count, 4},
    FieldSpec{"Entry", number, 8},         FieldSpec{"ProgramOffset", number, 8},
    FieldSpec{"SectionOffset", number, 8}, FieldSpec{"Flags", number, 4},
    FieldSpec{"HeaderSize", count, 2},     FieldSpec{"ProgramEntrySize", count, 2},
    FieldSpec{"ProgramCount", count, 2},   FieldSpec{"SectionEntrySize", count, 2},
    FieldSpec{"SectionCount", count, 2},   FieldSpec{"NameSection", count, 2},
};
constexpr std::array header32 = {
    FieldSpec{"Ident", bytes, 16},         FieldSpec{"Type", count, 2},
    FieldSpec{"Machine", count, 2},        FieldSpec{"Version", count, 4},
    FieldSpec{"Entry", number, 4},         FieldSpec{"ProgramOffset", number, 4},
    FieldSpec{"SectionOffset", number, 4}, FieldSpec{"Flags", number, 4},
    FieldSpec{"HeaderSize", count, 2},     FieldSpec{"ProgramEntrySize", count, 2},
    FieldSpec{"ProgramCount", count, 2},   FieldSpec{"SectionEntrySize", count, 2},
    FieldSpec{"SectionCount", count, 2},   FieldSpec{"NameSection", count, 2},
};
constexpr std::array program64 = {
    FieldSpec{"Type", number, 4},
    FieldSpec{"Flags", number, 4},
    FieldSpec{"Offset", number, 8},
    FieldSpec{"VirtualAddress", number, 8},
    FieldSpec{"PhysicalAddress", number, 8},
    FieldSpec{"FileSize", number, 8},
    FieldSpec{"MemorySize", number, 8},
    FieldSpec{"Alignment", number, 8},
};
constexpr std::array program32 = {
    FieldSpec{"Type", number, 4},           FieldSpec{"Offset", number, 4},
    FieldSpec{"VirtualAddress", number, 4}, FieldSpec{"PhysicalAddress", number, 4},
    FieldSpec{"FileSize", number, 4},       FieldSpec{"MemorySize", number, 4},
    FieldSpec{"Flags", number, 4},          FieldSpec{"Alignment", number, 4},
};
constexpr std::array section64 = {
    FieldSpec{"Name", number, 4},      FieldSpec{"Type", number, 4},
    FieldSpec{"Flags", number, 8},     FieldSpec{"Address", number, 8},
    FieldSpec{"Offset", number, 8},    FieldSpec{"Size", number, 8},
    FieldSpec{"Link", count, 4},       FieldSpec{"Info", count, 4},
    FieldSpec{"Alignment", number, 8}, FieldSpec{"EntrySize", number, 8},
};
/// Name: with its NUL and padding.
constexpr std::array note = {
    FieldSpec{"NameSize", count, 4},
    FieldSpec{"ContentSize", count, 4},
    FieldSpec{"Type", number, 4},
    FieldSpec{"Name", text, 0},
};
constexpr std::array statusX64 = {
    FieldSpec{"SignalNumber", signed_count, 4},
    FieldSpec{"SignalCode", signed_count, 4},
    FieldSpec{"SignalError", signed_count, 4},
    FieldSpec{"CurrentSignal", count, 2},
    FieldSpec{"Padding", bytes, 2},
    FieldSpec{"Pending", number, 8},
    FieldSpec{"Held", number, 8},
    FieldSpec{"Pid", count, 4},
    FieldSpec{"ParentPid", count, 4},
    FieldSpec{"ProcessGroup", count, 4},
    FieldSpec{"Session", count, 4},
    FieldSpec{"UserSeconds", count, 8},
    FieldSpec{"UserMicroseconds", count, 8},
    FieldSpec{"SystemSeconds", count, 8},
    FieldSpec{"SystemMicroseconds", count, 8},
    FieldSpec{"ChildrenTimes", bytes, 32},
    FieldSpec{"r15", number, 8},
    FieldSpec{"r14", number, 8},
    FieldSpec{"r13", number, 8},
    FieldSpec{"r12", number, 8},
    FieldSpec{"rbp", number, 8},
    FieldSpec{"rbx", number, 8},
    FieldSpec{"r11", number, 8},
    FieldSpec{"r10", number, 8},
    FieldSpec{"r9", number, 8},
    FieldSpec{"r8", number, 8},
    FieldSpec{"rax", number, 8},
    FieldSpec{"rcx", number, 8},
    FieldSpec{"rdx", number, 8},
    FieldSpec{"rsi", number, 8},
    FieldSpec{"rdi", number, 8},
    FieldSpec{"orig_rax", number, 8},
    FieldSpec{"rip", number, 8},
    FieldSpec{"cs", number, 8},
    FieldSpec{"eflags", number, 8},
    FieldSpec{"rsp", number, 8},
    FieldSpec{"ss", number, 8},
    FieldSpec{"fs_base", number, 8},
    FieldSpec{"gs_base", number, 8},
    FieldSpec{"ds", number, 8},
    FieldSpec{"es", number, 8},
    FieldSpec{"fs", number, 8},
    FieldSpec{"gs", number, 8},
    FieldSpec{"FloatingPointValid", count, 4},
    FieldSpec{"PaddingAtEnd", bytes, 4},
};
/// Any 64-bit architecture: the registers as bytes.
constexpr std::array status64 = {
    FieldSpec{"SignalNumber", signed_count, 4},
    FieldSpec{"SignalCode", signed_count, 4},
    FieldSpec{"SignalError", signed_count, 4},
    FieldSpec{"CurrentSignal", count, 2},
    FieldSpec{"Padding", bytes, 2},
    FieldSpec{"Pending", number, 8},
    FieldSpec{"Held", number, 8},
    FieldSpec{"Pid", count, 4},
    FieldSpec{"ParentPid", count, 4},
    FieldSpec{"ProcessGroup", count, 4},
    FieldSpec{"Session", count, 4},
    FieldSpec{"Times", bytes, 64},
    FieldSpec{"Registers", bytes, 0},
};
constexpr std::array processInfo64 = {
    FieldSpec{"State", count, 1},        FieldSpec{"StateLetter", text, 1},
    FieldSpec{"Zombie", count, 1},       FieldSpec{"Nice", signed_count, 1},
    FieldSpec{"Padding", bytes, 4},      FieldSpec{"Flags", number, 8},
    FieldSpec{"Uid", count, 4},          FieldSpec{"Gid", count, 4},
    FieldSpec{"Pid", count, 4},          FieldSpec{"ParentPid", count, 4},
    FieldSpec{"ProcessGroup", count, 4}, FieldSpec{"Session", count, 4},
    FieldSpec{"Name", text, 16},         FieldSpec{"Arguments", text, 80},
};
constexpr std::array signalInfo64 = {
    FieldSpec{"Number", signed_count, 4}, FieldSpec{"Error", signed_count, 4},
    FieldSpec{"Code", signed_count, 4},   FieldSpec{"Padding", bytes, 4},
    FieldSpec{"Address", number, 8},      FieldSpec{"Rest", bytes, 0},
};
constexpr std::array auxEntry64 = {FieldSpec{"Type", count, 8}, FieldSpec{"Value", number, 8}};
constexpr std::array fileList64 = {FieldSpec{"Count", count, 8}, FieldSpec{"Unit", count, 8}};
constexpr std::array fileEntry64 = {FieldSpec{"Begin", number, 8}, FieldSpec{"End", number, 8},
                                    FieldSpec{"Offset", number, 8}};
constexpr std::array ownText = {FieldSpec{"Text", text, 0}};
constexpr std::array unreadList = {FieldSpec{"Count", count, 8}, FieldSpec{"Total", count, 8}};
constexpr std::array unreadEntry = {FieldSpec{"Begin", number, 8}, FieldSpec{"End", number, 8}};

constexpr std::array specs = {
    StructSpec{"ELF64_HEADER", header64},     StructSpec{"ELF32_HEADER", header32},
    StructSpec{"ELF64_PROGRAM", program64},   StructSpec{"ELF32_PROGRAM", program32},
    StructSpec{"ELF64_SECTION", section64},   StructSpec{"NOTE", note},
    StructSpec{"PRSTATUS_X64", statusX64},    StructSpec{"PRSTATUS_64", status64},
    StructSpec{"PRPSINFO_64", processInfo64}, StructSpec{"SIGINFO_64", signalInfo64},
    StructSpec{"AUXV_64", auxEntry64},        StructSpec{"FILE_LIST_64", fileList64},
    StructSpec{"FILE_ENTRY_64", fileEntry64}, StructSpec{"ICECORE_TEXT", ownText},
    StructSpec{"UNREAD_LIST", unreadList},    StructSpec{"UNREAD_ENTRY", unreadEntry},
};

const StructSpec& specOf(std::string_view name) {
    return *std::ranges::find(specs, name, &StructSpec::name);
}

class Describer {
public:
    explicit Describer(std::shared_ptr<const Source> source)
        : source_(source), out_(std::move(source)) {}

    Result<std::string> describe() {
        const auto image = ElfImage::open(source_);
        const auto start = source_->load(0, std::min<std::uint64_t>(source_->size(), 64));
        if (start && start->size() > elf::identClass) {
            is64_ = start->span()[elf::identClass] == std::byte{elf::class64};
            out_.structure(specOf(is64_ ? "ELF64_HEADER" : "ELF32_HEADER"), 0, "header");
        }
        if (image && start) {
            describeTables(*start);
            x64_ = (*image)->arch() == Arch::x86_64;
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
        if (is64_ && sectionCount > 0) {
            if (programCount == elf::extendedProgramCount) programCount = extendedCount(sections);
            for (std::size_t i = 0; i < sectionCount; ++i)
                out_.structure(specOf("ELF64_SECTION"), sections + i * sizeof(elf::Section64),
                               fmt::format("section.{}", i));
        }
        const StructSpec& spec = specOf(is64_ ? "ELF64_PROGRAM" : "ELF32_PROGRAM");
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
            out_.structure(specOf("NOTE"), at, label, content - at);
            describeContent(item, content, label + ".content");
            at = content + alignUp(item.content.size(), alignment);
        }
    }

    void describeContent(const ElfNote& item, std::uint64_t at, const std::string& label) {
        const std::uint64_t size = item.content.size();
        if (item.name == ownNoteName) return describeOwn(item, at, label);
        const auto wholeOr = [&](std::string_view spec) {
            const StructSpec& found = specOf(spec);
            const bool fits = found.open() ? size >= found.fixedSize() : size == found.fixedSize();
            if (!fits || !out_.structure(found, at, label, size)) out_.bytes(at, size, label);
        };
        if (!is64_ || item.name != "CORE") return out_.bytes(at, size, label);
        switch (item.type) {
        case elf::notePrStatus: return wholeOr(x64_ ? "PRSTATUS_X64" : "PRSTATUS_64");
        case elf::notePrPsInfo: return wholeOr("PRPSINFO_64");
        case elf::noteSigInfo: return wholeOr("SIGINFO_64");
        case elf::noteAuxv:
            for (std::uint64_t i = 0; i < size / sizeof(elf::Dynamic64); ++i)
                out_.structure(specOf("AUXV_64"), at + i * 16, fmt::format("auxv.{}", i));
            return;
        case elf::noteFile: return describeFiles(item, at, label);
        default: return out_.bytes(at, size, label);
        }
    }

    void describeFiles(const ElfNote& item, std::uint64_t at, const std::string& label) {
        Cursor cursor(item.content);
        const std::uint64_t count = cursor.u64();
        cursor.skip(8);
        if (!cursor.canHold(count, 24) || count > mostFiles)
            return out_.bytes(at, item.content.size(), label);
        out_.structure(specOf("FILE_LIST_64"), at, label);
        for (std::uint64_t i = 0; i < count; ++i)
            out_.structure(specOf("FILE_ENTRY_64"), at + 16 + i * 24, fmt::format("file.{}", i));
        cursor.skip(count * 24);
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::uint64_t from = cursor.position();
            (void)cursor.cString();
            if (!cursor.ok()) return;
            out_.structure(specOf("ICECORE_TEXT"), at + from, fmt::format("file.{}.name", i),
                           cursor.position() - from);
        }
    }

    void describeOwn(const ElfNote& item, std::uint64_t at, const std::string& label) {
        const std::uint64_t size = item.content.size();
        if (item.type != noteUnread) {
            if (size > 0) out_.structure(specOf("ICECORE_TEXT"), at, label, size);
            return;
        }
        Cursor cursor(item.content);
        const std::uint64_t count = cursor.u64();
        cursor.skip(8);
        if (!cursor.canHold(count, 16)) return out_.bytes(at, size, label);
        out_.structure(specOf("UNREAD_LIST"), at, label);
        for (std::uint64_t i = 0; i < count; ++i)
            out_.structure(specOf("UNREAD_ENTRY"), at + 16 + i * 16, fmt::format("unread.{}", i));
    }

    std::shared_ptr<const Source> source_;
    DumpDescription out_;
    bool is64_ = true, x64_ = false;
    std::size_t noteCount_ = 0;
};

}  // namespace

Result<std::string> describeCore(std::shared_ptr<const Source> source) {
    return Describer(std::move(source)).describe();
}

Result<std::vector<std::byte>> buildCore(std::string_view text) {
    return buildFromText(text, specs);
}

}  // namespace icecore::elfcore
