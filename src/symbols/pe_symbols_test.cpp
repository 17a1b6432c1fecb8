#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "memory/segment_space.h"
#include "support/windows_build.h"
#include "symbols/symbolizer.h"

namespace icecore {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

constexpr std::uint64_t base = 0x7ff612340000;

/// A library without PDB, with two exported functions and one between them that is not.
class PeExports : public testing::Test {
protected:
    void SetUp() override {
        if (!tests::canBuildForWindows()) GTEST_SKIP() << "clang-19 or lld-19 is not installed";
        ASSERT_EQ(tests::buildForWindows(folder_, R"(
extern "C" {
__attribute__((noinline)) __declspec(dllexport) int first(int* p) { volatile int v[20]; v[1] = *p; return v[1] + 3; }
__attribute__((noinline)) int hidden(int* p) { volatile int v[20]; v[2] = *p; return v[2] * 5; }
__declspec(dllexport) int start(int* p) { return hidden(p) + first(p); }
__declspec(dllexport) int counter = 7;
}
)"),
                  "");
        fs::remove(folder_ / "a.pdb");
        const auto image = PeImage::open(*openMappedFile(folder_ / "a.dll"));
        ASSERT_TRUE(image.has_value());
        file_ = *image;
        process_.system.os = Os::windows;
        Module module;
        module.range = Range::ofSize(base, file_->imageSize());
        module.path = "C:\\app\\a.dll";
        module.timestamp = file_->timestamp();
        module.imageSize = file_->imageSize();
        process_.modules.items.push_back(module);
    }
    /// As the loader maps it.
    void load() {
        std::vector<std::byte> loaded(file_->imageSize());
        const auto place = [&](std::uint32_t address, std::uint64_t size) {
            const ByteView bytes = file_->at(address, size);
            std::ranges::copy(bytes.span(), loaded.begin() + address);
        };
        place(0, file_->sections().front().address);
        for (const PeSection& section : file_->sections())
            place(section.address, section.virtualSize);
        SegmentSpaceBuilder builder(memorySource(loaded, "memory"));
        builder.addStored(Range::ofSize(base, loaded.size()), 0);
        process_.memory = builder.build();
    }
    [[nodiscard]] std::uint64_t exported(std::string_view name) const {
        for (const PeExport& item : file_->exports()) {
            if (item.name == name) return base + item.address;
        }
        return 0;
    }

    const tests::Scratch scratch_;
    const fs::path folder_ = scratch_.file("");
    std::shared_ptr<const PeImage> file_;
    Process process_;
};

void expectNames(const Symbolizer& symbolizer, const Module& module, std::uint64_t first,
                 std::uint64_t start) {
    EXPECT_EQ(symbolizer.module(module).kind, SymbolKind::exported);
    const auto inside = symbolizer.symbolize(first + 5, false);
    ASSERT_EQ(inside.frames.size(), 1U);
    EXPECT_EQ(inside.kind, SymbolKind::exported);
    EXPECT_EQ(inside.frames[0].function, "first");
    EXPECT_EQ(inside.frames[0].functionOffset, 5U);
    EXPECT_FALSE(inside.frames[0].approximate);

    // The function between them has no name: the nearest one is given as no more than that.
    const auto hidden = symbolizer.symbolize(start - 4, false);
    ASSERT_EQ(hidden.frames.size(), 1U);
    EXPECT_EQ(hidden.frames[0].function, "first");
    EXPECT_EQ(hidden.frames[0].functionOffset, start - 4 - first);
    EXPECT_TRUE(hidden.frames[0].approximate);

    const auto byName = symbolizer.byName("a!start");
    ASSERT_TRUE(byName.has_value());
    EXPECT_EQ(byName->address, start);
    EXPECT_TRUE(byName->function);
    const auto data = symbolizer.byName("a!counter");
    ASSERT_TRUE(data.has_value());
    EXPECT_FALSE(data->function);
    EXPECT_EQ(symbolizer.find("a", "*", 10).size(), 3U);
    EXPECT_EQ(symbolizer.find("a", "*", 2).size(), 2U);
    EXPECT_FALSE(symbolizer.byName("a!hidden").has_value());
    EXPECT_TRUE(symbolizer.symbolize(data->address, false).frames.empty()) << "data is no code";
}

TEST_F(PeExports, outOfTheDumpsMemory) {
    load();
    const Symbolizer symbolizer(process_, {});
    expectNames(symbolizer, process_.modules[0], exported("first"), exported("start"));
    EXPECT_EQ(symbolizer.module(process_.modules[0]).imagePath, "");
}

TEST_F(PeExports, outOfTheFileOnTheSymbolPath) {
    SymbolOptions options;
    options.path = folder_.string();
    const Symbolizer symbolizer(process_, options);
    expectNames(symbolizer, process_.modules[0], exported("first"), exported("start"));
    EXPECT_EQ(symbolizer.module(process_.modules[0]).imagePath, (folder_ / "a.dll").string());
}

TEST_F(PeExports, anothersFileIsRefused) {
    ++process_.modules[0].timestamp;
    SymbolOptions options;
    options.path = folder_.string();
    const Symbolizer refused(process_, options);
    const ModuleSymbols& symbols = refused.module(process_.modules[0]);
    EXPECT_EQ(symbols.kind, SymbolKind::mismatch);
    EXPECT_THAT(symbols.tried, Contains(HasSubstr("its time stamp and size are")));
    EXPECT_TRUE(refused.symbolize(exported("first"), false).frames.empty());

    options.allowMismatch = true;
    const Symbolizer forced(process_, options);
    EXPECT_TRUE(forced.module(process_.modules[0]).forced);
    EXPECT_EQ(forced.symbolize(exported("first"), false).frames.size(), 1U);
}

TEST_F(PeExports, nothingWithoutFileAndMemory) {
    const Symbolizer symbolizer(process_, {});
    EXPECT_EQ(symbolizer.module(process_.modules[0]).kind, SymbolKind::none);
    const auto answer = symbolizer.symbolize(exported("first"), false);
    EXPECT_TRUE(answer.frames.empty());
    EXPECT_EQ(answer.module, &process_.modules[0]);
}

}  // namespace
}  // namespace icecore
