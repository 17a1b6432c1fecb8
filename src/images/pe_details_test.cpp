#include "images/pe_details.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/text.h"
#include "images/pe_layout.h"
#include "support/windows_build.h"

namespace icecore {
namespace {

namespace fs = std::filesystem;

/// Everything there is to ask of an image; damage may cost answers only.
void askAll(const PeImage& image) {
    (void)image.id();
    (void)image.codeView();
    (void)image.functionTable();
    (void)image.exports();
    (void)image.debugEntries();
    (void)peVersion(image);
    (void)peBuild(image);
    for (const PeSection& section : image.sections())
        (void)image.at(section.address, section.virtualSize);
}

class PeDetails : public testing::Test {
protected:
    void SetUp() override {
        if (!tests::canBuildForWindows()) GTEST_SKIP() << "clang-19 or lld-19 is not installed";
        std::ofstream(folder_ / "v.rc") << R"(1 VERSIONINFO
FILEVERSION 10,0,19041,3636
PRODUCTVERSION 7,1,2,65535
FILEFLAGSMASK 0x3fL
FILEFLAGS 0x3L
BEGIN
  BLOCK "StringFileInfo"
  BEGIN
    BLOCK "040904b0"
    BEGIN
      VALUE "CompanyName", "Snow & Ice"
      VALUE "FileDescription", "What the ice holds"
      VALUE "OriginalFilename", "a.dll"
    END
  END
  BLOCK "VarFileInfo"
  BEGIN
    VALUE "Translation", 0x409, 1200
  END
END
)";
        const auto resource =
            tests::shell("cd '" + folder_.string() + "' && llvm-rc-19 /FO v.res v.rc 2>&1");
        ASSERT_EQ(resource.status, 0) << resource.text;
        ASSERT_EQ(tests::buildForWindows(
                      folder_, "extern \"C\" __declspec(dllexport) int start() { return 1; }",
                      {.link = "/dll /Brepro /cetcompat v.res"}),
                  "");
        auto source = openMappedFile(folder_ / "a.dll");
        ASSERT_TRUE(source.has_value());
        const auto whole = (*source)->load(0, (*source)->size());
        ASSERT_TRUE(whole.has_value());
        bytes_.assign(whole->span().begin(), whole->span().end());
    }
    [[nodiscard]] static std::shared_ptr<const PeImage> open(std::vector<std::byte> bytes) {
        return PeImage::open(memorySource(std::move(bytes), "a.dll")).value_or(nullptr);
    }

    const tests::Scratch scratch_;
    const fs::path folder_ = scratch_.file("");
    std::vector<std::byte> bytes_;
};

TEST_F(PeDetails, versionResourceIsWhatTheCompilerWasGiven) {
    const auto image = open(bytes_);
    ASSERT_NE(image, nullptr);
    const auto version = peVersion(*image);
    ASSERT_TRUE(version.has_value());
    EXPECT_EQ(version->fileVersion, "10.0.19041.3636");
    EXPECT_EQ(version->productVersion, "7.1.2.65535");
    EXPECT_TRUE(version->debug);
    EXPECT_TRUE(version->prerelease);
    EXPECT_FALSE(version->patched);
    const std::map<std::string, std::string> expected = {{"CompanyName", "Snow & Ice"},
                                                         {"FileDescription", "What the ice holds"},
                                                         {"OriginalFilename", "a.dll"}};
    EXPECT_EQ(version->strings, expected);
}

TEST_F(PeDetails, reproducibleBuildsAndShadowStacksAreTold) {
    const auto image = open(bytes_);
    ASSERT_NE(image, nullptr);
    const PeBuild build = peBuild(*image);
    EXPECT_TRUE(build.reproducible);
    EXPECT_TRUE(build.cetCompatible());
    const std::string said = tests::shell("llvm-readobj-19 --coff-debug-directory '" +
                                          (folder_ / "a.dll").string() + "'")
                                 .text;
    EXPECT_NE(said.find("Repro"), std::string::npos);
    EXPECT_NE(said.find("ExtendedDLLCharacteristics"), std::string::npos);

    ASSERT_EQ(tests::buildForWindows(
                  folder_, "extern \"C\" __declspec(dllexport) int start() { return 1; }"),
              "");
    const auto plain = PeImage::open(*openMappedFile(folder_ / "a.dll"));
    ASSERT_TRUE(plain.has_value());
    EXPECT_FALSE(peBuild(**plain).reproducible);
    EXPECT_FALSE(peBuild(**plain).cetCompatible());
    EXPECT_FALSE(peVersion(**plain).has_value());
}

/// Linkers of ours write no POGO record: one is laid over the record of CodeView.
TEST_F(PeDetails, piecesOfThePogoRecord) {
    const auto image = open(bytes_);
    ASSERT_NE(image, nullptr);
    const Range directory = image->directory(pe::directoryDebug);
    const PeSection* section = image->sectionAt(static_cast<std::uint32_t>(directory.begin()));
    ASSERT_NE(section, nullptr);
    auto bytes = bytes_;
    const std::size_t at = section->offset + directory.begin() - section->address;
    storeInteger<std::uint32_t>(bytes.data() + at + offsetof(pe::DebugEntry, type), 13);
    const auto content =
        loadInteger<std::uint32_t>(bytes.data() + at + offsetof(pe::DebugEntry, offset));
    const auto size =
        loadInteger<std::uint32_t>(bytes.data() + at + offsetof(pe::DebugEntry, size));
    ASSERT_GE(size, 28U);
    storeInteger<std::uint32_t>(bytes.data() + at + offsetof(pe::DebugEntry, size), 28);
    storeInteger<std::uint32_t>(bytes.data() + content, 0x4c544347);  // LTCG
    storeInteger<std::uint32_t>(bytes.data() + content + 4, 0x1000);
    storeInteger<std::uint32_t>(bytes.data() + content + 8, 0x20);
    const char name[16] = ".text$mn";
    std::memcpy(bytes.data() + content + 12, name, sizeof name);
    const auto changed = open(bytes);
    ASSERT_NE(changed, nullptr);
    const PeBuild build = peBuild(*changed);
    EXPECT_EQ(build.pogo, "LTCG");
    ASSERT_EQ(build.pieces.size(), 1U);
    EXPECT_EQ(build.pieces[0].name, ".text$mn");
    EXPECT_EQ(build.pieces[0].address, 0x1000U);
    EXPECT_EQ(build.pieces[0].size, 0x20U);
}

TEST_F(PeDetails, oneFieldWrongAtATimeCostsAnswersOnly) {
    const std::size_t end = std::min<std::size_t>(bytes_.size() & ~std::size_t{3}, 0x2000);
    std::size_t opened = 0;
    for (std::size_t at = 0; at < end; at += 4) {
        const auto old = loadInteger<std::uint32_t>(bytes_.data() + at);
        for (const std::uint32_t wrong : {0U, 0xffffffffU, 0x7fffffffU, old + 1, old ^ 0x10000U}) {
            auto bytes = bytes_;
            storeInteger<std::uint32_t>(bytes.data() + at, wrong);
            if (const auto image = open(std::move(bytes))) {
                ++opened;
                askAll(*image);
            }
        }
    }
    EXPECT_GT(opened, end / 4);
}

TEST_F(PeDetails, cutAnywhere) {
    for (std::size_t size = 0; size < bytes_.size(); size += size < 0x800 ? 1 : 19) {
        if (const auto image = open({bytes_.begin(), bytes_.begin() + static_cast<long>(size)}))
            askAll(*image);
    }
    const auto whole = open(bytes_);
    ASSERT_NE(whole, nullptr);
    EXPECT_TRUE(peVersion(*whole).has_value());
}

}  // namespace
}  // namespace icecore
