#include "arch/xsave.h"

#include <gtest/gtest.h>

#include "bytes/endian.h"

namespace icecore {
namespace {

std::vector<std::byte> area(std::size_t size, std::uint64_t enabled) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 576; i < size; ++i)
        bytes[i] = static_cast<std::byte>(i * 31 >> 3);
    storeInteger(bytes.data() + 464, enabled);
    return bytes;
}

std::span<const std::byte> part(const std::vector<std::byte>& bytes, std::size_t at,
                                std::size_t size) {
    return std::span(bytes).subspan(at, size);
}

TEST(Xsave, MovesAmdsAvx512) {
    const auto amd = area(2440, 0x2e7);
    const auto intel = xsaveInIntelLayout(amd);
    ASSERT_EQ(intel.size(), 2696U);
    EXPECT_TRUE(std::ranges::equal(part(intel, 0, 832), part(amd, 0, 832)));
    EXPECT_TRUE(std::ranges::equal(part(intel, 1088, 64), part(amd, 832, 64)));
    EXPECT_TRUE(std::ranges::equal(part(intel, 1152, 512), part(amd, 896, 512)));
    EXPECT_TRUE(std::ranges::equal(part(intel, 1664, 1024), part(amd, 1408, 1024)));
    EXPECT_TRUE(std::ranges::equal(part(intel, 2688, 8), part(amd, 2432, 8)));
}

TEST(Xsave, MovesProtectionKeysAlone) {
    const auto amd = area(840, 0x207);
    const auto intel = xsaveInIntelLayout(amd);
    ASSERT_EQ(intel.size(), 2696U);
    EXPECT_TRUE(std::ranges::equal(part(intel, 2688, 8), part(amd, 832, 8)));
}

TEST(Xsave, LeavesTheRest) {
    EXPECT_TRUE(xsaveInIntelLayout(area(2696, 0x2e7)).empty());    // Intel
    EXPECT_TRUE(xsaveInIntelLayout(area(832, 0x7)).empty());       // AVX: the same on both
    EXPECT_TRUE(xsaveInIntelLayout(area(2440, 0x602e7)).empty());  // AMX: not understood
    EXPECT_TRUE(xsaveInIntelLayout(area(2400, 0x2e7)).empty());    // a size of neither
    EXPECT_TRUE(xsaveInIntelLayout(std::vector<std::byte>(100)).empty());
}

}  // namespace
}  // namespace icecore
