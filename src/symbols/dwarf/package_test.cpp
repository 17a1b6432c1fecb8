#include "symbols/dwarf/package.h"

#include <gtest/gtest.h>

#include "bytes/endian.h"

namespace icecore::dwarf {
namespace {

/// An index of one unit with two columns and two slots, of which the second is used.
struct Index {
    std::uint32_t version = 5, columns = 2, units = 1, slots = 2;
    std::uint64_t signature = 0x1122334455667788;
    std::uint32_t number = 1;
    std::uint32_t first = 1, second = 6;
    std::uint32_t firstBegin = 0x40, secondBegin = 0x80;

    [[nodiscard]] std::vector<std::byte> bytes() const {
        std::vector<std::byte> all;
        const auto put = [&](auto value) {
            all.resize(all.size() + sizeof value);
            storeInteger(all.data() + all.size() - sizeof value, value);
        };
        for (const std::uint32_t field : {version, columns, units, slots})
            put(field);
        put(std::uint64_t{0});
        put(signature);
        for (const std::uint32_t field :
             {std::uint32_t{0}, number, first, second, firstBegin, secondBegin, 0x10U, 0x20U})
            put(field);
        return all;
    }
    [[nodiscard]] std::vector<PackageRow> rows() const {
        const auto all = bytes();
        return readPackageIndex(ByteView(all));
    }
};

TEST(DwarfPackage, RowsSayWhereEachPartBegins) {
    const auto rows = Index{}.rows();
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].signature, 0x1122334455667788U);
    EXPECT_EQ(rows[0].of(PackagePart::info), 0x40U);
    EXPECT_EQ(rows[0].of(PackagePart::str_offsets), 0x80U);
    EXPECT_EQ(rows[0].of(PackagePart::abbrev), 0U);
}

TEST(DwarfPackage, ColumnsMeanWhatTheirVersionSays) {
    const auto old = Index{.version = 2, .first = 2, .second = 5}.rows();
    ASSERT_EQ(old.size(), 1U);
    EXPECT_EQ(old[0].of(PackagePart::types), 0x40U);
    EXPECT_EQ(old[0].of(PackagePart::loc), 0x80U);
    const auto five = Index{.first = 8, .second = 5}.rows();
    ASSERT_EQ(five.size(), 1U);
    EXPECT_EQ(five[0].of(PackagePart::rnglists), 0x40U);
    EXPECT_EQ(five[0].of(PackagePart::loclists), 0x80U);
}

TEST(DwarfPackage, FieldsThatCannotBeGiveNothing) {
    EXPECT_TRUE(Index{.version = 3}.rows().empty());
    EXPECT_TRUE(Index{.columns = 0}.rows().empty());
    EXPECT_TRUE(Index{.columns = UINT32_MAX}.rows().empty());
    EXPECT_TRUE(Index{.units = UINT32_MAX}.rows().empty());
    EXPECT_TRUE(Index{.slots = UINT32_MAX}.rows().empty());
    EXPECT_TRUE(Index{.number = 2}.rows().empty());  // there is one unit
    EXPECT_TRUE(Index{.number = UINT32_MAX}.rows().empty());
    EXPECT_EQ((Index{.first = 99, .second = 100}.rows().size()), 1U);  // columns nobody knows
}

TEST(DwarfPackage, CutShortAnywhereItHasNoRows) {
    const auto whole = Index{}.bytes();
    constexpr std::size_t sizes = 8;  // the table of sizes, which is not read
    for (std::size_t size = 0; size < whole.size() - sizes; ++size)
        EXPECT_TRUE(readPackageIndex(ByteView(std::span(whole).first(size))).empty()) << size;
}

}  // namespace
}  // namespace icecore::dwarf
