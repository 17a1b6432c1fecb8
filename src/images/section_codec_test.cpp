#include "images/section_codec.h"

#include <gtest/gtest.h>
#include <libdeflate.h>
#include <zstd.h>

#include <memory>
#include <vector>

#include "bytes/elf_layout.h"

namespace icecore {
namespace {

std::vector<std::byte> sample() {
    std::vector<std::byte> bytes(50'000);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = std::byte(i * i / 7 & 0x3f);
    return bytes;
}

std::vector<std::byte> withHeader(std::uint32_t type, std::uint64_t size,
                                  const std::vector<std::byte>& data) {
    elf::Compression64 header{};
    header.type = type;
    header.size = size;
    const auto raw = bytesOf(header);
    std::vector<std::byte> section(raw.begin(), raw.end());
    section.insert(section.end(), data.begin(), data.end());
    return section;
}

std::vector<std::byte> zlibOf(const std::vector<std::byte>& bytes) {
    const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> state(
        libdeflate_alloc_compressor(6), &libdeflate_free_compressor);
    std::vector<std::byte> out(bytes.size() + 100);
    out.resize(
        libdeflate_zlib_compress(state.get(), bytes.data(), bytes.size(), out.data(), out.size()));
    return out;
}

std::vector<std::byte> zstdOf(const std::vector<std::byte>& bytes) {
    std::vector<std::byte> out(ZSTD_compressBound(bytes.size()));
    out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
    return out;
}

TEST(SectionCodec, zlibAndZstd) {
    const auto bytes = sample();
    for (const auto& section : {withHeader(elf::compressedZlib, bytes.size(), zlibOf(bytes)),
                                withHeader(elf::compressedZstd, bytes.size(), zstdOf(bytes))}) {
        const auto content = decompressSection(ByteView(section), true);
        ASSERT_TRUE(content.has_value()) << content.error().describe();
        EXPECT_TRUE(std::ranges::equal(content->span(), bytes));
    }
}

/// "ZLIB" and the size, big endian.
std::vector<std::byte> withGnuHeader(std::uint64_t size, const std::vector<std::byte>& data) {
    std::vector<std::byte> section;
    for (const char c : {'Z', 'L', 'I', 'B'})
        section.push_back(static_cast<std::byte>(c));
    for (int shift = 56; shift >= 0; shift -= 8)
        section.push_back(static_cast<std::byte>(size >> shift & 0xffU));
    section.insert(section.end(), data.begin(), data.end());
    return section;
}

TEST(SectionCodec, gnusOlderWay) {
    const auto bytes = sample();
    const auto section = withGnuHeader(bytes.size(), zlibOf(bytes));
    const auto content = decompressGnuSection(ByteView(section));
    ASSERT_TRUE(content) << content.error().describe();
    EXPECT_TRUE(std::ranges::equal(content->span(), bytes));
    for (const std::uint64_t lie :
         {std::uint64_t{0}, bytes.size() - 1, bytes.size() + 1, UINT64_MAX}) {
        const auto wrong = withGnuHeader(lie, zlibOf(bytes));
        EXPECT_FALSE(decompressGnuSection(ByteView(wrong)));
    }
    for (std::size_t size = 0; size < section.size(); size += size < 16 ? 1 : 997)
        EXPECT_FALSE(decompressGnuSection(ByteView(std::span(section).first(size))));
    EXPECT_FALSE(decompressGnuSection(ByteView(bytes))) << "no header";
}

TEST(SectionCodec, liesAreRefused) {
    const auto bytes = sample();
    const auto refuse = [](const std::vector<std::byte>& section) {
        const auto content = decompressSection(ByteView(section, "lie"), true);
        return content ? Errc::internal : content.error().code;
    };
    // More, or less, than there is; more than any compression could have made so small.
    EXPECT_EQ(refuse(withHeader(elf::compressedZlib, bytes.size() + 1, zlibOf(bytes))),
              Errc::malformed);
    EXPECT_EQ(refuse(withHeader(elf::compressedZlib, bytes.size() - 1, zlibOf(bytes))),
              Errc::malformed);
    EXPECT_EQ(refuse(withHeader(elf::compressedZstd, bytes.size() + 1, zstdOf(bytes))),
              Errc::malformed);
    EXPECT_EQ(refuse(withHeader(elf::compressedZlib, UINT64_MAX, zlibOf(bytes))), Errc::malformed);
    EXPECT_EQ(refuse(withHeader(elf::compressedZstd, std::uint64_t{1} << 40, zstdOf(bytes))),
              Errc::malformed);
    EXPECT_EQ(refuse(withHeader(77, bytes.size(), zlibOf(bytes))), Errc::unsupported);
    EXPECT_EQ(refuse({std::byte{1}}), Errc::truncated);
    // Cut anywhere.
    const auto whole = withHeader(elf::compressedZlib, bytes.size(), zlibOf(bytes));
    for (std::size_t size = 0; size < whole.size(); size += 37)
        EXPECT_NE(refuse({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)}),
                  Errc::internal);
}

}  // namespace
}  // namespace icecore
