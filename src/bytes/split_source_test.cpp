#include "bytes/split_source.h"

#include <gtest/gtest.h>

#include <fstream>

#include "bytes/imperfect.h"
#include "bytes/sparse.h"
#include "support/scratch.h"

namespace icecore {
namespace {

using tests::Scratch;

void put(const Scratch& scratch, const std::string& name, const std::string& text) {
    std::ofstream(scratch.file(name), std::ios::binary) << text;
}

std::string textOf(const Source& source) {
    const auto bytes = source.load(0, source.size());
    return bytes ? std::string(bytes->text()) : bytes.error().message;
}

TEST(SplitSource, NamesOfParts) {
    const auto part = parsePartName("a/image.raw.012");
    ASSERT_TRUE(part);
    EXPECT_EQ(part->stem, "a/image.raw.");
    EXPECT_EQ(part->number, 12U);
    EXPECT_FALSE(part->letters);
    EXPECT_EQ(parsePartName("x.ab")->number, 1U);
    EXPECT_EQ(parsePartName("x.ba")->number, 26U);
    for (const char* const other :
         {"image", "image.raw1", "x.a", "x.7", "x.lime1", "x.12345678", "x.abcde", "x.0a1"})
        EXPECT_FALSE(parsePartName(other)) << other;
}

TEST(SplitSource, PartsOfOneImage) {
    for (const auto& names : {std::vector<std::string>{"i.raw.001", "i.raw.002", "i.raw.003"},
                              {"i.raw.000", "i.raw.001", "i.raw.002"},
                              {"i.raw.aa", "i.raw.ab", "i.raw.ac"}}) {
        const Scratch scratch;
        put(scratch, names[0], "one-");
        put(scratch, names[1], "two-");
        put(scratch, names[2], "end");
        put(scratch, "i.raw.txt", "what FTK writes beside them");
        for (const std::string& given : {names[0], names[2], std::string("i.raw")}) {
            const auto source = openSource(scratch.file(given));
            ASSERT_TRUE(source) << source.error().describe();
            EXPECT_EQ(textOf(**source), "one-two-end") << given;
            EXPECT_EQ((*source)->name(), scratch.file(names[0]));
            EXPECT_FALSE(issuesOf(**source).lossy());
            EXPECT_EQ(dataRanges(**source).size(), 3U);
        }
    }
}

TEST(SplitSource, AMissingPartIsAHole) {
    const Scratch scratch;
    put(scratch, "i.001", "one-");
    put(scratch, "i.003", "tri-");
    put(scratch, "i.004", "end");
    const auto source = openSource(scratch.file("i.001"));
    ASSERT_TRUE(source) << source.error().describe();
    EXPECT_EQ((*source)->size(), 15U);
    EXPECT_TRUE(issuesOf(**source).lossy());
    EXPECT_EQ(missingRanges(**source), std::vector<Range>{Range::between(4, 8)});
    std::byte three[3];
    EXPECT_FALSE((*source)->read(5, three));
    EXPECT_EQ((*source)->read(2, three).value_or(0), 2U);
    ASSERT_TRUE((*source)->read(8, three));
    EXPECT_EQ(std::to_integer<char>(three[0]), 't');
    // Where the others differ in length nobody knows where the rest lies.
    put(scratch, "i.003", "three-");
    const auto unknown = openSource(scratch.file("i.001"));
    ASSERT_FALSE(unknown);
    EXPECT_NE(unknown.error().message.find("a part is missing"), std::string::npos);
}

TEST(SplitSource, OtherFilesStayAlone) {
    const Scratch scratch;
    put(scratch, "core.101", "a");
    put(scratch, "core.102", "b");
    put(scratch, "i.raw", "whole");
    put(scratch, "i.raw.001", "part");
    EXPECT_EQ(textOf(**openSource(scratch.file("core.102"))), "b");
    EXPECT_EQ(textOf(**openSource(scratch.file("i.raw"))), "whole");
    EXPECT_FALSE(openSource(scratch.file("nothing")));
}

}  // namespace
}  // namespace icecore
