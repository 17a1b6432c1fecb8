// A small ELF library for tests: every table present, written field by field.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bytes/elf_layout.h"
#include "images/elf_image.h"
#include "memory/segment_space.h"

namespace icecore::tests {

struct ElfTestFile {
    static constexpr std::uint64_t base = 0x10000;  ///< link-time address of the ELF header
    std::vector<std::byte> buildId = {std::byte{0xab}, std::byte{0xcd}, std::byte{0xef},
                                      std::byte{0x01}};
    std::string soname = "libtest.so.1";
    std::string debugLink = "test.debug";

    /// One page: header, four program headers, note, dynamic section with its strings, debuglink,
    /// section names, section table (last).
    [[nodiscard]] std::vector<std::byte> build() const {
        std::vector<std::byte> out(sizeof(elf::Header64) + 3 * sizeof(elf::Program64));
        const auto append = [&](const auto& value) {
            const auto bytes = bytesOf(value);
            out.insert(out.end(), bytes.begin(), bytes.end());
        };
        const auto appendText = [&](std::string_view text) {
            const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
            out.insert(out.end(), bytes.begin(), bytes.end());
        };
        const auto align = [&] { out.resize((out.size() + 7) / 8 * 8); };

        const std::size_t note = out.size();
        append(elf::NoteHeader{4, static_cast<std::uint32_t>(buildId.size()), elf::noteGnuBuildId});
        appendText({"GNU\0", 4});
        out.insert(out.end(), buildId.begin(), buildId.end());
        const std::size_t noteSize = out.size() - note;
        align();

        const std::size_t strings = out.size();
        const std::string text = std::string(1, '\0') + soname + '\0';
        appendText(text);
        align();
        const std::size_t dynamic = out.size();
        append(elf::Dynamic64{elf::dynamicStrings, base + strings});
        append(elf::Dynamic64{elf::dynamicStringsSize, text.size()});
        append(elf::Dynamic64{elf::dynamicSoname, 1});
        append(elf::Dynamic64{elf::dynamicNull, 0});
        const std::size_t dynamicSize = out.size() - dynamic;
        const std::size_t loadedSize = out.size();

        const std::size_t link = out.size();
        appendText(debugLink + '\0');
        out.resize(link + (out.size() - link + 3) / 4 * 4);
        append(Le32{0xfeedf00d});
        const std::size_t linkSize = out.size() - link;

        const std::size_t names = out.size();
        using namespace std::string_view_literals;
        constexpr std::string_view nameText =
            "\0.note.gnu.build-id\0.dynamic\0.gnu_debuglink\0.shstrtab\0"sv;
        appendText(nameText);
        align();
        const std::size_t table = out.size();
        const auto section = [&](std::string_view name, std::uint32_t type, std::size_t offset,
                                 std::size_t size, std::uint64_t flags) {
            elf::Section64 raw{};
            raw.name = static_cast<std::uint32_t>(nameText.find(name));
            raw.type = type;
            raw.flags = flags;
            raw.address = (flags & elf::sectionAllocated) != 0 ? base + offset : 0;
            raw.offset = offset;
            raw.size = size;
            append(raw);
        };
        append(elf::Section64{});
        section(".note.gnu.build-id", elf::sectionNote, note, noteSize, elf::sectionAllocated);
        section(".dynamic", elf::sectionDynamic, dynamic, dynamicSize, elf::sectionAllocated);
        section(".gnu_debuglink", elf::sectionProgramBits, link, linkSize, 0);
        section(".shstrtab", elf::sectionStrings, names, nameText.size(), 0);

        elf::Header64 header{};
        std::ranges::copy(elf::magic, header.ident);
        header.ident[elf::identClass] = std::byte{elf::class64};
        header.ident[elf::identData] = std::byte{elf::dataLittle};
        header.ident[elf::identVersion] = std::byte{1};
        header.type = elf::typeDynamic;
        header.machine = elf::machineX86_64;
        header.version = 1;
        header.programOffset = sizeof header;
        header.sectionOffset = table;
        header.headerSize = sizeof header;
        header.programEntrySize = sizeof(elf::Program64);
        header.programCount = 3;
        header.sectionEntrySize = sizeof(elf::Section64);
        header.sectionCount = 5;
        header.nameSection = 4;
        std::memcpy(out.data(), &header, sizeof header);
        std::array<elf::Program64, 3> programs{};
        const auto program = [&](std::size_t i, std::uint32_t type, std::size_t offset,
                                 std::size_t size) {
            programs[i].type = type;
            programs[i].flags = elf::flagRead | elf::flagExecute;
            programs[i].offset = offset;
            programs[i].virtualAddress = base + offset;
            programs[i].fileSize = size;
            programs[i].memorySize = size;
            programs[i].alignment = 4;
        };
        program(0, elf::segmentLoad, 0, loadedSize);
        program(1, elf::segmentNote, note, noteSize);
        program(2, elf::segmentDynamic, dynamic, dynamicSize);
        std::memcpy(out.data() + sizeof header, programs.data(), sizeof programs);
        return out;
    }

    /// The file as the loader maps it, with its header at `address`.
    [[nodiscard]] std::shared_ptr<const AddressSpace> load(std::uint64_t address) const {
        auto bytes = build();
        const std::size_t size = bytes.size();
        SegmentSpaceBuilder builder(memorySource(std::move(bytes), "memory"));
        builder.addStored(Range::ofSize(address, size), 0);
        return builder.build();
    }
};

/// Asks an image everything there is to ask: what tests of broken files run.
inline void touchEverything(const ElfImage& image) {
    (void)image.imageBase();
    (void)image.imageSize();
    (void)image.buildId();
    (void)image.soname();
    (void)image.debugLink();
    std::size_t sum = 0;
    const auto touch = [&](ByteView bytes) {
        for (const std::byte byte : bytes.span())
            sum += std::to_integer<std::size_t>(byte);
    };
    for (const ElfSection& section : image.sections()) {
        sum += section.name.size();
        if (const auto bytes = image.content(section)) touch(*bytes);
    }
    for (const ElfSegment& segment : image.segments()) {
        const ByteView bytes = image.atAddress(segment.address, segment.memorySize);
        touch(bytes);
        for (const ElfNote& note : parseNotes(bytes, segment.alignment, nullptr))
            touch(note.content);
    }
    volatile std::size_t sink = sum;
    (void)sink;
}

}  // namespace icecore::tests
