#include "formats/image/system_guess.h"

#include <gtest/gtest.h>

#include <cstring>

#include "formats/format.h"

namespace icecore::image {
namespace {

constexpr std::string_view banner =
    "Linux version 6.1.0-13-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14)) "
    "#1 SMP PREEMPT_DYNAMIC Debian 6.1.55-1 (2023-09-29)";
constexpr std::string_view other = "Linux version 5.10.0-8-amd64 (x@y) (gcc-10) #1 SMP Debian";
constexpr std::string_view info =
    "OSRELEASE=6.1.0-13-amd64\nBUILD-ID=00\nPAGESIZE=4096\nSYMBOL(init_top_pgt)=ffffffff82610000\n"
    "NUMBER(phys_base)=16777216\nNUMBER(pgtable_l5_enabled)=0\n";

class SystemGuesses : public testing::Test {
protected:
    void put(std::size_t at, std::string_view text) {
        ASSERT_LE(at + text.size() + 1, bytes_.size());
        std::memcpy(bytes_.data() + at, text.data(), text.size());
        bytes_[at + text.size()] = std::byte{0};
    }
    [[nodiscard]] SystemGuess guess(std::uint64_t most = UINT64_MAX) const {
        const auto image = formatByName("raw")->open(memorySource(bytes_, "m.raw"));
        EXPECT_TRUE(image);
        return guessSystem(*image->machine->physical, most);
    }
    std::vector<std::byte> bytes_ = std::vector<std::byte>(std::size_t{3} << 20, std::byte{0x5a});
};

TEST_F(SystemGuesses, NothingIsNothing) {
    const SystemGuess none = guess();
    EXPECT_EQ(none.os, Os::unknown);
    EXPECT_FALSE(none.gaveUp);
    EXPECT_TRUE(guess(1 << 20).gaveUp);
}

TEST_F(SystemGuesses, TheBannerOfLinux) {
    // Across the end of what is read at once, too.
    for (const std::size_t at :
         {std::size_t{5}, (std::size_t{1} << 20) - 20, bytes_.size() - 300}) {
        std::ranges::fill(bytes_, std::byte{0x5a});
        put(at, banner);
        const SystemGuess found = guess();
        EXPECT_EQ(found.os, Os::linux_os);
        EXPECT_EQ(found.version, "6.1.0-13-amd64");
        EXPECT_EQ(found.banner, banner);
        EXPECT_EQ(found.at, at);
        EXPECT_FALSE(found.tables);
    }
}

TEST_F(SystemGuesses, WordsThatAreNoBannerAreNone) {
    for (const std::string_view text :
         {"Linux version %s (%s@%s) (%s) %s and more words", "Linux version ",
          "Linux version 6.1 without the rest of it, and yet long enough",
          "Linux version 6.1 (x) (y)", "Linux version 6.1.0 (x@y) (gcc-12, of nobody) # SMP Debian",
          "linux version 6.1.0 (x@y) (gcc) #1 SMP Debian"}) {
        std::ranges::fill(bytes_, std::byte{0});
        put(4096, text);
        EXPECT_EQ(guess().os, Os::unknown) << text;
    }
}

TEST_F(SystemGuesses, KernelInfoSaysWhichBannerAndWhereTheTablesAre) {
    put(100, other);
    put(0x200000, info);
    put(0x240010, banner);
    const SystemGuess found = guess();
    EXPECT_EQ(found.version, "6.1.0-13-amd64");
    EXPECT_EQ(found.banner, banner);
    EXPECT_EQ(found.at, 0x240010U);
    EXPECT_EQ(found.kernelInfo, info);
    ASSERT_TRUE(found.tables);
    EXPECT_EQ(found.tables->root, 0x3610000U);
    EXPECT_EQ(found.tables->levels, 4U);
    // The banner before it, or none of that release.
    put(0x50, banner);
    EXPECT_EQ(guess().at, 0x50U);
    put(0x50, other);
    put(0x240010, other);
    EXPECT_EQ(guess().banner, "");
    EXPECT_EQ(guess().at, 0x200000U);
}

TEST_F(SystemGuesses, KernelInfoFillsAPageFromItsBeginning) {
    put(0x200010, info);
    EXPECT_EQ(guess().os, Os::unknown);
    put(0x200000, "OSRELEASE=6.1\nand no size of a page");
    EXPECT_EQ(guess().os, Os::unknown);
    put(0x200000, info);
    bytes_[0x200020] = std::byte{7};
    EXPECT_EQ(guess().os, Os::unknown);
}

TEST_F(SystemGuesses, TheKernelOfWindowsByItsPdb) {
    std::string record = "RSDS";
    for (int i = 0; i < 16; ++i)
        record += static_cast<char>(0x10 + i);
    record += std::string("\x01\0\0\0", 4) + "ntkrnlmp.pdb";
    put(0x123456, record);
    const SystemGuess found = guess();
    EXPECT_EQ(found.os, Os::windows);
    EXPECT_EQ(found.banner, "ntkrnlmp.pdb 131211101514171618191A1B1C1D1E1F1");
    EXPECT_EQ(found.at, 0x123456U);
    // Another program's, and one that is cut off.
    put(0x123456, record.substr(0, 24) + "notepad.pdb");
    put(bytes_.size() - 30, record.substr(0, 29));
    EXPECT_EQ(guess().os, Os::unknown);
}

TEST_F(SystemGuesses, OnlyWhatIsThereIsRead) {
    class Holes final : public AddressSpace {
        [[nodiscard]] ReadOutcome read(std::uint64_t at, std::span<std::byte> out) const override {
            EXPECT_LT(at, 0x4000U);
            if (at / 0x1000 == 1) return {0, Absence::unreadable};
            std::ranges::fill(out, std::byte{1});
            return {std::min<std::size_t>(out.size(), 0x1000 - at % 0x1000), Absence::none};
        }
        [[nodiscard]] std::vector<Extent> extents(Range within) const override {
            std::vector<Extent> all = {
                {Range::ofSize(0, 0x4000), Absence::none, false},
                {Range::ofSize(0x4000, 0x1000), Absence::unreadable, false},
                {Range::ofSize(0x5000, std::uint64_t{1} << 50), Absence::none, true}};
            for (Extent& extent : all)
                extent.range = extent.range.intersect(within);
            std::erase_if(all, [](const Extent& extent) { return extent.range.empty(); });
            return all;
        }
        [[nodiscard]] std::string explain(std::uint64_t) const override { return {}; }
    };
    const SystemGuess none = guessSystem(Holes(), 1 << 20);
    EXPECT_EQ(none.os, Os::unknown);
    EXPECT_FALSE(none.gaveUp);
}

}  // namespace
}  // namespace icecore::image
