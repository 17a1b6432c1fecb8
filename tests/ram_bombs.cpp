// Tiny files that claim terabytes, and small ones that unpack to a lot: refused or read as what
// they are, in bounded memory and time.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "bytes/crc32.h"
#include "bytes/endian.h"
#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {
namespace {

class RamBombs : public testing::Test {
protected:
    std::string file(const std::string& name) { return scratch_.file(name); }
    void write(const std::string& name, const std::string& bytes) {
        std::ofstream(file(name), std::ios::binary) << bytes;
    }
    /// A seed of the fuzzers with other numbers in it.
    void change(const std::string& seed, const std::string& name,
                const std::vector<std::pair<std::size_t, std::string>>& values) {
        std::string bytes = readText(sourceFile("fuzz/corpus/" + seed));
        for (const auto& [at, value] : values) {
            ASSERT_LE(at + value.size(), bytes.size());
            bytes.replace(at, value.size(), value);
        }
        write(name, bytes);
    }
    template <class Integer>
    static std::string le(Integer value) {
        std::array<std::byte, sizeof value> bytes{};
        storeInteger(bytes.data(), value);
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }

    /// What a run of icecore needed at most, in KiB; it has to end by itself.
    std::uint64_t peak(const std::vector<std::string>& arguments) {
        std::vector<std::string> all = {program()};
        all.insert(all.end(), arguments.begin(), arguments.end());
        std::vector<char*> argv;
        argv.reserve(all.size() + 1);
        for (std::string& argument : all)
            argv.push_back(argument.data());
        argv.push_back(nullptr);
        const pid_t child = ::fork();
        if (child == 0) {
            const int null = ::open("/dev/null", O_RDWR);
            if (null < 0) ::_exit(127);
            ::dup2(null, 1);
            ::dup2(null, 2);
            ::alarm(60);  // it is killed, should it go on and on
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        int status = 0;
        rusage used{};
        while (::wait4(child, &status, 0, &used) < 0 && errno == EINTR) {
        }
        EXPECT_TRUE(WIFEXITED(status)) << arguments.back();
        EXPECT_NE(WEXITSTATUS(status), 127);
        return static_cast<std::uint64_t>(used.ru_maxrss);
    }
    /// `info`, `verify` and `convert` of it.
    void expectHarmless(const std::string& name) {
        // The sanitizers' own needs are most of it.
        constexpr std::uint64_t most = 600 << 10;
        EXPECT_LT(peak({"info", file(name)}), most) << name;
        EXPECT_LT(peak({"verify", file(name)}), most) << name;
        EXPECT_LT(peak({"convert", file(name), file(name + ".out.elf")}), most) << name;
        std::error_code none;
        std::filesystem::remove(file(name + ".out.elf"), none);
    }

    Scratch scratch_;
};

TEST_F(RamBombs, HeadersThatClaimTerabytes) {
    constexpr std::uint64_t huge = (std::uint64_t{1} << 51) - 1;
    const std::string range = le<std::uint64_t>(0) + le(huge) + std::string(8, '\0');
    write("lime", "EMiL" + le<std::uint32_t>(1) + range + "sixteen bytes...");
    write("avml", "AVML" + le<std::uint32_t>(2) + range + std::string("\xff\x06\0\0sNaPpY", 10));
    // maximum page number, length of the bitmaps
    change("image/small.kdump", "kdump",
           {{436, le<std::uint32_t>(0xfffffffe)}, {440, le<std::uint32_t>(0xffffffff)}});
    change("image/small.kdump", "kdump64",
           {{4096 + 96, le<std::uint64_t>(std::uint64_t{1} << 40)}});
    // sizes of the first LOAD, which follows the header and, where there are some, notes
    change("image/small.elf", "elf", {{64 + 32, le(huge)}, {64 + 40, le(huge)}});
    for (const char* const name : {"lime", "avml", "kdump", "kdump64", "elf"})
        expectHarmless(name);
}

TEST_F(RamBombs, MachinesAtRestThatClaimTerabytes) {
    const std::string vmss = readText(sourceFile("fuzz/corpus/machine/vmss"));
    // Behind a tag's name: its indices (u32), then its value.
    const auto valueOf = [&](const std::string& name, std::size_t indices) {
        const std::size_t at = vmss.find(name);
        EXPECT_NE(at, std::string::npos) << name;
        return at + name.size() + 4 * indices;
    };
    const auto all = le<std::uint32_t>(0x7fffffff);
    const std::uint64_t huge = std::uint64_t{1} << 50;
    change("machine/vmss", "count.vmss", {{valueOf("regionsCount", 0), all}});
    change("machine/vmss", "region.vmss",
           {{valueOf("regionSize", 1), all}, {valueOf("regionPPN", 1), all}});
    change("machine/vmss", "memory.vmss",
           {{valueOf("\x06Memory", 2), le(huge) + le(huge)}, {valueOf("regionSize", 1), all}});
    change("machine/vmss", "groups.vmss", {{8, le<std::uint32_t>(0xffffffff)}});
    // How many pages the loader and the kernel restore, and a set of many pages packed into many.
    const std::string hiberfil = readText(sourceFile("fuzz/corpus/machine/hiberfil"));
    std::vector<std::size_t> counts;  // offsets of the header's numbers
    for (std::size_t at = 0x18; at < 0x240; at += 8) {
        if (loadInteger<std::uint64_t>(reinterpret_cast<const std::byte*>(hiberfil.data() + at)) !=
            0)
            counts.push_back(at);
    }
    ASSERT_GT(counts.size(), 3U);
    std::vector<std::string> names = {"count.vmss", "region.vmss", "memory.vmss", "groups.vmss"};
    for (const std::size_t at : counts) {
        names.push_back(fmt::format("hiberfil.{:x}", at));
        change("machine/hiberfil", names.back(), {{at, le(huge)}});
    }
    for (const std::string& name : names)
        expectHarmless(name);
}

/// An index of xz that promises a block of 1 TiB, with a checksum that is right.
TEST_F(RamBombs, AnIndexOfXzThatPromisesATerabyte) {
    std::string bytes = readText(sourceFile("fuzz/corpus/packed/xz_one"));
    // The footer: CRC-32, size of the index in words less one, flags, "YZ".
    const auto number = [&](std::size_t at) {
        return loadInteger<std::uint32_t>(reinterpret_cast<const std::byte*>(bytes.data() + at));
    };
    const std::size_t footer = bytes.size() - 12;
    const std::size_t indexSize = (std::size_t{number(footer + 4)} + 1) * 4;
    // Marker, one record: unpadded size as it was, unpacked size.
    std::string index = bytes.substr(footer - indexSize, 2);
    std::size_t at = footer - indexSize + 2;
    do
        index += bytes[at];
    while ((static_cast<unsigned char>(bytes[at++]) & 0x80U) != 0);
    index += std::string("\x80\x80\x80\x80\x80\x20", 6);  // 2^40
    index.resize((index.size() + 3) / 4 * 4);
    index += le(crc32(std::as_bytes(std::span(index))));
    const std::string tail =
        le(static_cast<std::uint32_t>(index.size() / 4 - 1)) + bytes.substr(footer + 8, 2);
    bytes = bytes.substr(0, footer - indexSize) + index +
            le(crc32(std::as_bytes(std::span(tail)))) + tail + "YZ";
    write("xz", bytes);
    expectHarmless("xz");
}

TEST_F(RamBombs, CompressedFilesThatClaimTerabytes) {
    // zstd: a frame of 1 TiB with one block of 128 KiB of zeros.
    write("zstd", std::string("\x28\xb5\x2f\xfd\xe0", 5) +
                      le<std::uint64_t>(std::uint64_t{1} << 40) +
                      std::string("\x03\x00\x10\x00", 4));
    change("packed/zdmp", "zdmp", {{8, le<std::uint64_t>(std::uint64_t{1} << 44)}});
    for (const char* const name : {"zstd", "zdmp"})
        expectHarmless(name);
}

TEST_F(RamBombs, WhatUnpacksToAThousandTimesItsSize) {
    // An image of 256 MiB in some hundred KiB, and that once more packed.
    const auto made =
        shell("cd '" + file("") +
              "' && head -c 268435456 /dev/zero > image.raw && "
              "gzip -1 < image.raw > image.raw.gz && "
              "gzip -1 < image.raw.gz > again.raw.gz && xz -0 -T1 < image.raw > image.raw.xz && "
              "rm image.raw");
    ASSERT_EQ(made.status, 0) << made.text;
    for (const char* const name : {"image.raw.gz", "again.raw.gz", "image.raw.xz"})
        expectHarmless(name);
}

}  // namespace
}  // namespace icecore::tests
