#include "formats/dump_text.h"

#include <gtest/gtest.h>

#include <array>

namespace icecore {
namespace {

constexpr std::array headerFields = {
    FieldSpec{"Magic", FieldKind::text, 4},  FieldSpec{"Offset", FieldKind::number, 4},
    FieldSpec{"Count", FieldKind::count, 2}, FieldSpec{"Delta", FieldKind::signed_count, 2},
    FieldSpec{"Key", FieldKind::bytes, 4},
};
constexpr std::array nameFields = {
    FieldSpec{"Length", FieldKind::count, 4},
    FieldSpec{"Text", FieldKind::utf16, 0},
};
constexpr std::array specs = {
    StructSpec{"HEADER", headerFields},
    StructSpec{"NAME", nameFields},
};

std::vector<std::byte> bytesFrom(std::initializer_list<int> values) {
    std::vector<std::byte> bytes;
    for (const int value : values)
        bytes.push_back(static_cast<std::byte>(value));
    return bytes;
}

std::string errorOf(std::string_view text) {
    const auto built = buildFromText(text, specs);
    return built ? "" : built.error().describe();
}

TEST(DumpText, BuildsWhatItSays) {
    const auto built = buildFromText(R"(
# a comment
HEADER head {
  Magic: "AB"          # padded
  Offset: @name
  Count: 513
  Delta: -2
  Key: <01 02>
}
NAME name {
  Length: @name.size-4
  Text: "hé#"
}
bytes {
  ff 00
  aa * 3
}
)",
                                     specs);
    ASSERT_TRUE(built) << built.error().describe();
    EXPECT_EQ(*built,
              bytesFrom({'A', 'B', 0, 0, 16,  0, 0,    0, 1,   2, 0xfe, 0xff, 1,    2,    0,   0,
                         6,   0,   0, 0, 'h', 0, 0xe9, 0, '#', 0, 0xff, 0,    0xaa, 0xaa, 0xaa}));
}

TEST(DumpText, DescriptionBuildsTheSameFile) {
    std::vector<std::byte> file(700);
    for (std::size_t i = 0; i < 300; ++i)
        file[i] = static_cast<std::byte>(i * 7);
    const auto source = memorySource(file, "file");
    DumpDescription description(source);
    EXPECT_TRUE(description.structure(specs[0], 8, "head"));
    EXPECT_FALSE(description.structure(specs[0], 20)) << "overlaps what is claimed";
    EXPECT_FALSE(description.structure(specs[0], 690)) << "ends beyond the file";
    EXPECT_FALSE(description.structure(specs[0], UINT64_MAX - 3));
    EXPECT_TRUE(description.structure(specs[1], 40, "a name", 13));
    EXPECT_TRUE(description.structure(specs[1], 60, "a name", 4)) << "an empty open field";
    description.bytes(100, 5000, "tail");
    const auto text = description.print("test");
    ASSERT_TRUE(text);
    EXPECT_NE(text->find("HEADER head at 0x8 {"), std::string::npos) << *text;
    EXPECT_NE(text->find("NAME a_name~2 at 0x3c {"), std::string::npos) << *text;
    EXPECT_NE(text->find("00 * 400"), std::string::npos) << *text;
    const auto built = buildFromText(*text, specs);
    ASSERT_TRUE(built) << built.error().describe();
    EXPECT_EQ(*built, file);
}

TEST(DumpText, EveryByteValueSurvivesInEveryKindOfField) {
    for (int value = 0; value < 256; ++value) {
        std::vector<std::byte> file(40, static_cast<std::byte>(value));
        file[3] = std::byte{0};
        file[25] = std::byte{'x'};
        DumpDescription description(memorySource(file, "file"));
        description.structure(specs[0], 0, "head");
        description.structure(specs[1], 16, "name", 15);
        const auto text = description.print("test");
        ASSERT_TRUE(text);
        const auto built = buildFromText(*text, specs);
        ASSERT_TRUE(built) << built.error().describe() << *text;
        EXPECT_EQ(*built, file) << *text;
    }
}

TEST(DumpText, LeavesOutBulkAndSaysSo) {
    DumpDescription description(memorySource(std::vector<std::byte>(5000, std::byte{1}), "file"));
    const auto text = description.print("test", 1000);
    ASSERT_TRUE(text);
    EXPECT_NE(text->find("omitted at 0x0 size 0x1388"), std::string::npos);
    EXPECT_NE(errorOf(*text).find("leaves bytes out"), std::string::npos);
}

TEST(DumpText, ErrorsNameTheLine) {
    EXPECT_NE(errorOf("\n\nNOPE {\n}\n").find("unknown structure 'NOPE' (line 3)"),
              std::string::npos);
    EXPECT_NE(errorOf("HEADER {\n Wrong: 1\n}").find("no field 'Wrong' (line 2)"),
              std::string::npos);
    EXPECT_NE(errorOf("HEADER {\n Count: 65536\n}").find("does not fit 2 bytes (line 2)"),
              std::string::npos);
    EXPECT_NE(errorOf("HEADER {\n Delta: -32769\n}").find("does not fit"), std::string::npos);
    EXPECT_NE(errorOf("HEADER {\n Magic: \"ABCDE\"\n}").find("5 bytes, the field 4"),
              std::string::npos);
    EXPECT_NE(errorOf("HEADER {\n Offset: @gone\n}").find("no piece is labelled 'gone' (line 2)"),
              std::string::npos);
    EXPECT_NE(errorOf("HEADER {\n Magic: @x\n}").find("only numbers"), std::string::npos);
    EXPECT_NE(errorOf("bytes a {\n}\nbytes a {\n}").find("given twice (line 4)"),
              std::string::npos);
    EXPECT_NE(errorOf("bytes {\n 0\n}").find("pairs of hex digits (line 2)"), std::string::npos);
    EXPECT_NE(errorOf("bytes {\n").find("ends inside"), std::string::npos);
    EXPECT_NE(errorOf("HEADER\n").find("expected `NAME"), std::string::npos);
    EXPECT_NE(errorOf("bytes at {\n}").find("needs a number"), std::string::npos);
    EXPECT_NE(errorOf("size 1 2").find("one number"), std::string::npos);
    EXPECT_NE(errorOf("HEADER {\n Magic: \"A\n}").find("closing quote"), std::string::npos);
}

TEST(DumpText, NothingBeyondTheLimitIsBuilt) {
    for (const std::string_view text :
         {"size 0xffffffffffffffff", "bytes at 0xfffffffffffffff0 {\n 00\n}",
          "bytes {\n 00 * 0xffffffffffffffff\n}",
          "HEADER at 0xfffffffffffffffe {\n Magic: \"A\"\n}"}) {
        const auto built = buildFromText(text, specs, 1 << 20);
        ASSERT_FALSE(built) << text;
        EXPECT_EQ(built.error().code, Errc::limit) << text;
    }
    const auto sized = buildFromText("size 64\nbytes {\n 01\n}", specs);
    ASSERT_TRUE(sized);
    EXPECT_EQ(sized->size(), 64U);
    const auto cut = buildFromText("size 1\nbytes {\n 0102\n}", specs);
    ASSERT_TRUE(cut);
    EXPECT_EQ(cut->size(), 1U);
}

}  // namespace
}  // namespace icecore
