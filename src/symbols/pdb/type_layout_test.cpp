#include "symbols/pdb/type_layout.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "support/msf_writer.h"
#include "support/windows_build.h"
#include "support/windows_shapes.h"

namespace icecore::pdb {
namespace {

namespace fs = std::filesystem;

std::uint32_t indexOf(const TypeMember& member) {
    return static_cast<std::uint32_t>(member.type);
}

class PdbTypes : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (!tests::canBuildForWindows()) GTEST_SKIP() << "clang-19 or lld-19 is not installed";
        ASSERT_EQ(build(tests::windowsShapes), "");
        file_ = PdbFile::open(*openMappedFile(folder_ / "a.pdb")).value_or(nullptr);
        ASSERT_NE(file_, nullptr);
    }
    [[nodiscard]] std::string build(const std::string& source) const {
        return tests::buildForWindows(
            folder_, source,
            {.arch = GetParam(), .compile = "-O2 -fno-rtti -Wno-invalid-offsetof"});
    }
    const tests::Scratch scratch_;
    const fs::path folder_ = scratch_.file("");
    std::shared_ptr<const PdbFile> file_;
};

/// The compiler that wrote the PDB is asked whether what is read out of it is so.
TEST_P(PdbTypes, layoutsAreTheCompilersOwn) {
    std::string asserts = tests::windowsShapes;
    std::size_t fields = 0;
    for (const char* name : {"ice::Thing", "ice::Base", "ice::Bits", "ice::Box<int,4>"}) {
        const auto index = file_->typeByName(name);
        ASSERT_TRUE(index.has_value()) << name;
        const auto layout = typeLayout(*file_, *index);
        ASSERT_TRUE(layout.has_value()) << name;
        EXPECT_TRUE(layout->complete) << name;
        EXPECT_EQ(layout->name, name);
        asserts += "static_assert(sizeof(" + layout->name + ") == " + std::to_string(layout->size) +
                   ");\n";
        for (const TypeMember& member : layout->members) {
            if (member.kind != TypeMember::Kind::data || member.bitLength != 0 ||
                member.name == "__vfptr")
                continue;
            ++fields;
            asserts += "static_assert(__builtin_offsetof(" + layout->name + ", " + member.name +
                       ") == " + std::to_string(member.offset) + ");\n";
            const auto size = typeSize(*file_, indexOf(member));
            ASSERT_TRUE(size.has_value()) << member.name;
            asserts += "static_assert(sizeof(" + layout->name + "::" + member.name +
                       ") == " + std::to_string(*size) + ");\n";
        }
    }
    EXPECT_GE(fields, 10U);
    EXPECT_EQ(build(asserts), "") << asserts.substr(asserts.find("static_assert"));
}

TEST_P(PdbTypes, namesMembersAndValues) {
    const auto layout = typeLayout(*file_, file_->typeByName("ice::Thing").value_or(0));
    ASSERT_TRUE(layout.has_value());
    const auto member = [&](std::string_view name) {
        const auto found = std::ranges::find(layout->members, name, &TypeMember::name);
        return found == layout->members.end() ? TypeMember{} : *found;
    };
    const auto type = [&](std::string_view name) {
        return typeName(*file_, indexOf(member(name)));
    };
    EXPECT_EQ(layout->kind, leafStructure);
    EXPECT_EQ(type("a"), "int");
    EXPECT_EQ(type("b"), "double");
    EXPECT_EQ(type("next"), "ice::Thing *");
    EXPECT_EQ(type("kind"), "ice::Thing::Kind");
    EXPECT_EQ(type("names"), "const char *[3]");
    EXPECT_EQ(type("call"), "int (*)(int, double)");
    EXPECT_EQ(type("bits"), "ice::Bits");
    EXPECT_EQ(member("ice::Base").kind, TypeMember::Kind::base_class);
    EXPECT_EQ(member("count").kind, TypeMember::Kind::static_data);
    EXPECT_EQ(member("flags").bitLength, 3);
    EXPECT_EQ(member("flags").bitPosition, 0);
    EXPECT_EQ(member("rest").bitLength, 5);
    EXPECT_EQ(member("rest").bitPosition, 3);
    EXPECT_EQ(type("rest"), "unsigned int");
    const auto target = targetType(*file_, indexOf(member("next")));
    ASSERT_TRUE(target.has_value());
    EXPECT_EQ(typeLayout(*file_, *target)->members.size(), layout->members.size())
        << "a declaration leads to the complete type";

    const auto kinds = typeLayout(*file_, indexOf(member("kind")));
    ASSERT_TRUE(kinds.has_value());
    EXPECT_EQ(kinds->size, 2U);
    ASSERT_EQ(kinds->members.size(), 2U);
    EXPECT_EQ(kinds->members[1].name, "two");
    EXPECT_EQ(kinds->members[1].offset, 7U);
    EXPECT_EQ(kinds->members[1].kind, TypeMember::Kind::enumerator);
    EXPECT_FALSE(file_->typeByName("ice::Nothing").has_value());
}

/// Every record is found by its index as by walking from the first.
TEST_P(PdbTypes, recordsByIndex) {
    for (const TypeTable* table : {&file_->types(), &file_->ids()}) {
        EXPECT_GT(table->last(), table->first());
        for (std::uint32_t index = table->first(); index < table->last(); ++index)
            ASSERT_TRUE(table->record(index).has_value()) << index;
        EXPECT_FALSE(table->record(table->last()).has_value());
    }
    // A file whose streams have no index of offsets.
    auto streams = tests::readAllStreams(**MsfFile::open(*openMappedFile(folder_ / "a.pdb")));
    storeInteger(streams[streamTypes].data() + offsetof(TypeHeader, hashStream), noStream);
    const auto bare =
        PdbFile::open(memorySource(tests::writeMsf(streams, 4096, false), "bare.pdb"));
    ASSERT_TRUE(bare.has_value());
    EXPECT_EQ((*bare)->typeByName("ice::Thing"), file_->typeByName("ice::Thing"));
}

INSTANTIATE_TEST_SUITE_P(Machines, PdbTypes, testing::Values("x86_64", "i686"),
                         [](const auto& machine) { return std::string(machine.param); });

/// What unwinding without frame pointers needs, beside llvm-pdbutil's table.
TEST(PdbFrames, frameDataAreThoseOfLlvmPdbutil) {
    if (!tests::canBuildForWindows()) GTEST_SKIP() << "clang-19 or lld-19 is not installed";
    const tests::Scratch scratch;
    const fs::path folder = scratch.file("");
    ASSERT_EQ(
        tests::buildForWindows(folder, tests::windowsShapes,
                               {.arch = "i686", .compile = "-O2 -fno-rtti -fomit-frame-pointer"}),
        "");
    const auto file = PdbFile::open(*openMappedFile(folder / "a.pdb"));
    ASSERT_TRUE(file.has_value());
    const auto said =
        tests::shell("llvm-pdbutil-19 dump --fpo '" + (folder / "a.pdb").string() + "'").text;
    std::size_t rows = 0;
    const auto lines = split(said, '\n');
    for (const std::string_view line : lines) {
        const auto fields = split(line, '|');
        const auto begin = fields.size() == 11 ? parseHex(trim(fields[0])) : std::nullopt;
        if (!begin) continue;
        ++rows;
        const auto layout = (*file)->frameLayout(static_cast<std::uint32_t>(*begin));
        ASSERT_TRUE(layout.has_value()) << line;
        EXPECT_EQ(layout->begin, *begin);
        const auto number = [&](std::size_t at) {
            return static_cast<std::uint32_t>(parseDecimal(trim(fields[at])).value_or(0));
        };
        EXPECT_EQ(layout->size, number(1)) << line;
        EXPECT_EQ(layout->locals, number(2)) << line;
        EXPECT_EQ(layout->parameters, number(3)) << line;
        EXPECT_EQ(layout->prologue, number(5)) << line;
        EXPECT_EQ(layout->savedRegisters, number(6)) << line;
        EXPECT_EQ(layout->functionStart, trim(fields[9]) == "true") << line;
        EXPECT_EQ(trim(layout->program), trim(fields[10]));
    }
    EXPECT_GT(rows, 10U);
    EXPECT_FALSE((*file)->frameLayout(0x10).has_value());
}

/// The old table, which no linker of ours writes.
TEST(PdbFrames, oldFpoData) {
    if (!tests::canBuildForWindows()) GTEST_SKIP() << "clang-19 or lld-19 is not installed";
    const tests::Scratch scratch;
    const fs::path folder = scratch.file("");
    ASSERT_EQ(
        tests::buildForWindows(folder, "extern \"C\" int start() { return 1; }", {.arch = "i686"}),
        "");
    auto streams = tests::readAllStreams(**MsfFile::open(*openMappedFile(folder / "a.pdb")));
    auto& dbi = streams[streamDbi];
    DbiHeader header;
    std::memcpy(static_cast<void*>(&header), dbi.data(), sizeof header);
    const std::size_t debugAt = dbi.size() - header.debugHeaderSize;
    storeInteger(dbi.data() + debugAt + debugNewFpo * 2, noStream);
    storeInteger(dbi.data() + debugAt + debugFpo * 2, static_cast<std::uint16_t>(streams.size()));
    // prologue 5 bytes, 2 registers, uses EBP, frame type FPO
    FpoData fpo{};
    fpo.address = 0x1000;
    fpo.size = 0x40;
    fpo.locals = 3;
    fpo.parameters = 2;
    fpo.bits = 5 | (2 << 8) | (1 << 12);
    const auto raw = bytesOf(fpo);
    streams.emplace_back(raw.begin(), raw.end());
    const auto file = PdbFile::open(memorySource(tests::writeMsf(streams, 4096, false), "fpo.pdb"));
    ASSERT_TRUE(file.has_value());
    const auto layout = (*file)->frameLayout(0x1020);
    ASSERT_TRUE(layout.has_value());
    EXPECT_EQ(layout->begin, 0x1000U);
    EXPECT_EQ(layout->locals, 12U);
    EXPECT_EQ(layout->parameters, 8U);
    EXPECT_EQ(layout->prologue, 5U);
    EXPECT_EQ(layout->savedRegisters, 8U);
    EXPECT_TRUE(layout->usesBasePointer);
    EXPECT_EQ(layout->program, "");
    EXPECT_FALSE((*file)->frameLayout(0x1040).has_value());
}

}  // namespace
}  // namespace icecore::pdb
