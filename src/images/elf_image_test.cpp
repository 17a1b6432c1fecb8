#include "images/elf_image.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/text.h"
#include "bytes/elf_layout.h"
#include "images/elf_test_file.h"
#include "support/paths.h"

namespace icecore {
namespace {

std::shared_ptr<const ElfImage> openBytes(std::vector<std::byte> bytes) {
    auto image = ElfImage::open(memorySource(std::move(bytes), "test.elf"));
    EXPECT_TRUE(image.has_value()) << (image ? "" : image.error().describe());
    return image.value_or(nullptr);
}

TEST(ElfImage, opensARealProgram) {
    auto source = openMappedFile(tests::target("crasher"));
    ASSERT_TRUE(source.has_value()) << source.error().describe();
    auto image = ElfImage::open(*source);
    ASSERT_TRUE(image.has_value()) << image.error().describe();
    EXPECT_TRUE((*image)->is64());
    EXPECT_NE((*image)->arch(), Arch::unknown);
    EXPECT_NE((*image)->section(".text"), nullptr);
    EXPECT_NE((*image)->section(".symtab"), nullptr);
    EXPECT_TRUE((*image)->issues().empty());
    // The entry point is code of the .text section, and the same bytes by address and by section.
    const ElfSection& text = *(*image)->section(".text");
    const auto bytes = (*image)->content(text);
    ASSERT_TRUE(bytes.has_value());
    const ByteView entry = (*image)->atAddress((*image)->entry(), 16);
    ASSERT_EQ(entry.size(), 16U);
    EXPECT_EQ(entry.data(), bytes->data() + ((*image)->entry() - text.address));
    EXPECT_GE((*image)->imageSize(), text.size);
}

TEST(ElfImage, readsIdentityOfAnImage) {
    tests::ElfTestFile file;
    file.soname = "libexample.so.7";
    const auto image = openBytes(file.build());
    ASSERT_NE(image, nullptr);
    EXPECT_EQ(hexBytes(image->buildId()), hexBytes(file.buildId));
    EXPECT_EQ(image->soname(), "libexample.so.7");
    ASSERT_TRUE(image->debugLink().has_value());
    EXPECT_EQ(image->debugLink()->name, file.debugLink);
    EXPECT_EQ(image->debugLink()->crc, 0xfeedf00dU);
    EXPECT_EQ(image->imageBase(), tests::ElfTestFile::base);
}

TEST(ElfImage, refusesWhatItIsNot) {
    const auto refused = [](std::string_view text) {
        std::vector<std::byte> bytes(text.size());
        std::ranges::transform(text, bytes.begin(), [](char c) { return std::byte(c); });
        const auto image = ElfImage::open(memorySource(std::move(bytes), "x"));
        return image ? std::string("opened") : image.error().describe();
    };
    EXPECT_EQ(refused(""), "the file is empty (x)");
    EXPECT_EQ(refused("MZ and nothing of ELF in it"), "not an ELF file (x)");
    EXPECT_EQ(refused(std::string_view("\x7f"
                                       "ELF\2\2\1\0\0\0\0\0\0\0\0\0",
                                       16)),
              "big-endian ELF is not supported (x)");
    EXPECT_EQ(refused(std::string_view("\x7f"
                                       "ELF\7\1\1\0\0\0\0\0\0\0\0\0",
                                       16)),
              "ELF header has an unknown class or byte order (x)");
}

TEST(ElfImage, truncatedAtEveryOffset) {
    const std::vector<std::byte> whole = tests::ElfTestFile{}.build();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto image = ElfImage::open(memorySource(
            {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}, "cut.elf"));
        if (size < sizeof(elf::Header64)) {
            EXPECT_FALSE(image.has_value()) << size;
            continue;
        }
        ASSERT_TRUE(image.has_value()) << size << image.error().describe();
        // The section table is the last thing in the file: a cut costs it, and that is said.
        EXPECT_FALSE((*image)->issues().empty()) << size;
        tests::touchEverything(**image);
    }
}

TEST(ElfImage, everyFieldWrong) {
    const std::vector<std::byte> whole = tests::ElfTestFile{}.build();
    constexpr std::array<std::uint64_t, 8> values = {
        0, 1, 0x7fffffff, 0xffffffff, 0x100000000, UINT64_MAX - 0xfff, UINT64_MAX, INT64_MAX};
    for (std::size_t at = 16; at + 8 <= whole.size(); at += 2) {
        for (const std::uint64_t value : values) {
            for (const std::size_t width : {2U, 4U, 8U}) {
                auto bytes = whole;
                for (std::size_t i = 0; i < width; ++i)
                    bytes[at + i] = std::byte(value >> (8 * i) & 0xff);
                const auto image = ElfImage::open(memorySource(std::move(bytes), "bad.elf"));
                if (image) tests::touchEverything(**image);
            }
        }
    }
}

TEST(ElfImage, extendedNumbering) {
    // A core with more segments than e_phnum holds: the count stands in section header 0.
    tests::ElfTestFile file;
    auto bytes = file.build();
    elf::Header64 header;
    std::memcpy(&header, bytes.data(), sizeof header);
    const std::uint64_t first = header.sectionOffset;
    elf::Section64 zero;
    std::memcpy(&zero, bytes.data() + first, sizeof zero);
    zero.info = static_cast<std::uint32_t>(header.programCount);
    zero.size = static_cast<std::uint64_t>(header.sectionCount);
    zero.link = static_cast<std::uint32_t>(header.nameSection);
    header.programCount = elf::extendedProgramCount;
    header.sectionCount = 0;
    header.nameSection = elf::extendedIndex;
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + first, &zero, sizeof zero);
    const auto image = openBytes(std::move(bytes));
    ASSERT_NE(image, nullptr);
    EXPECT_EQ(image->segments().size(), zero.info);
    EXPECT_EQ(image->sections().size(), zero.size);
    EXPECT_NE(image->section(".gnu_debuglink"), nullptr);
    EXPECT_TRUE(image->issues().empty());
}

TEST(ElfImage, theSameFromMemory) {
    tests::ElfTestFile file;
    file.soname = "libexample.so.7";
    constexpr std::uint64_t at = 0x7f0000000000;
    const auto memory = file.load(at);
    const auto image = ElfImage::fromMemory(*memory, at, UINT64_MAX, "loaded");
    ASSERT_TRUE(image.has_value()) << image.error().describe();
    EXPECT_TRUE((*image)->fromProcessMemory());
    EXPECT_EQ((*image)->bias(), at - tests::ElfTestFile::base);
    EXPECT_EQ(hexBytes((*image)->buildId()), hexBytes(file.buildId));
    EXPECT_EQ((*image)->soname(), "libexample.so.7");
    EXPECT_NE((*image)->section(".dynamic"), nullptr);
    tests::touchEverything(**image);
}

TEST(ElfNotes, stopAtTheFirstDamagedOne) {
    std::vector<std::byte> bytes;
    const auto note = [&](std::uint32_t nameSize, std::uint32_t contentSize) {
        for (const std::uint32_t word : {nameSize, contentSize, 9U, 0x00554e47U, 0x11223344U})
            appendInteger(bytes, word);
    };
    note(4, 4);
    note(4, 0xffffffff);
    std::string damage;
    const auto notes = parseNotes(ByteView(bytes, "notes"), 4, &damage);
    ASSERT_EQ(notes.size(), 1U);
    EXPECT_EQ(notes[0].name, "GNU");
    EXPECT_EQ(notes[0].type, 9U);
    EXPECT_EQ(notes[0].content.size(), 4U);
    EXPECT_EQ(damage, "a note ends too early at notes at 0x14");
}

}  // namespace
}  // namespace icecore
