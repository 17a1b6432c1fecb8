// What is read of a frozen process is what is there, page by page; and reading leaves no trace.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "live/linux/frozen_process_test.h"
#include "support/map_limit.h"

namespace icecore::live {
namespace {

using tests::Victim;

constexpr std::uint64_t page = 4096;

Range pages(std::uint64_t base, std::uint64_t first, std::uint64_t count) {
    return Range::ofSize(base + first * page, count * page);
}

/// Whether every word in `range` tells its own address, as capture_memory.c writes them.
testing::AssertionResult hasPattern(const AddressSpace& memory, Range range) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(range.size()));
    const ReadOutcome outcome = memory.read(range.begin(), bytes);
    if (outcome.bytes != bytes.size()) {
        return testing::AssertionFailure() << outcome.bytes << " of " << bytes.size()
                                           << " bytes, then " << toString(outcome.stopped);
    }
    for (std::size_t i = 0; i < bytes.size(); i += 8) {
        const std::uint64_t address = range.begin() + i;
        if (loadInteger<std::uint64_t>(bytes.data() + i) != (address ^ 0x1cec04e000000000U))
            return testing::AssertionFailure() << "another word at " << hex(address);
    }
    return testing::AssertionSuccess();
}

Extent data(Range range) {
    return {range, Absence::none, false};
}
Extent zero(Range range) {
    return {range, Absence::none, true};
}
Extent absent(Range range, Absence why) {
    return {range, why, false};
}

/// What would grow if reading touched what it should not.
std::string footprint(pid_t pid) {
    std::string text;
    for (const char* key : {"VmPTE", "RssAnon", "RssShmem", "VmSwap", "VmData", "VmSize"})
        text += fmt::format("{} {}\n", key, tests::statusValue(pid, key));
    return text;
}

class Memory : public testing::TestWithParam<SnapshotMode> {
protected:
    /// A victim with this memory, frozen; null when something failed already.
    std::unique_ptr<FrozenProcess> freezeWith(std::vector<std::string> what,
                                              DumpType type = everything) {
        victim_ = std::make_unique<Victim>("capture_memory", std::move(what));
        if (!victim_->until("ready")) {
            ADD_FAILURE() << "the victim is not ready";
            return nullptr;
        }
        // Only when it sleeps does nothing of its own change any more.
        EXPECT_TRUE(tests::eventually(
            [&] { return tests::statusValue(victim_->pid(), "State").starts_with('S'); }));
        before_ = footprint(victim_->pid());
        auto process = frozen(victim_->pid(), GetParam(), type);
        if (process == nullptr) return nullptr;
        EXPECT_EQ(process->mode(), GetParam());
        memory_ = process->snapshot().process->memory;
        return process;
    }
    void expectUntouched() { EXPECT_EQ(footprint(victim_->pid()), before_); }
    const Region* regionAt(const FrozenProcess& process, std::uint64_t address) {
        return process.snapshot().process->regionAt(address);
    }

    std::unique_ptr<Victim> victim_;
    std::shared_ptr<const AddressSpace> memory_;
    std::string before_;
};
INSTANTIATE_TEST_SUITE_P(CloneAndStop, Memory,
                         testing::Values(SnapshotMode::clone, SnapshotMode::stop),
                         [](const auto& parameter) {
                             return parameter.param == SnapshotMode::clone ? "clone" : "stop";
                         });

TEST_P(Memory, WrittenPagesAreReadAndUntouchedOnesAreZeroWithoutReading) {
    const auto process = freezeWith({"plain"});
    ASSERT_NE(process, nullptr);
    const std::uint64_t at = victim_->number("plain");
    EXPECT_EQ(memory_->extents(pages(at, 0, 64)),
              (std::vector{data(pages(at, 0, 16)), zero(pages(at, 16, 16)), data(pages(at, 32, 1)),
                           zero(pages(at, 33, 31))}));
    EXPECT_TRUE(hasPattern(*memory_, pages(at, 0, 16)));
    EXPECT_TRUE(hasPattern(*memory_, pages(at, 32, 1)));
    // Odd addresses and sizes, across a border.
    std::array<std::byte, 100> bytes;
    ASSERT_TRUE(memory_->readExactly(at + 16 * page - 50, bytes));
    EXPECT_EQ(loadInteger<std::uint64_t>(bytes.data() + 42),
              (at + 16 * page - 8) ^ 0x1cec04e000000000U);
    EXPECT_EQ(loadInteger<std::uint64_t>(bytes.data() + 50), 0U);
    readPlan(*process);
    expectUntouched();
    EXPECT_TRUE(process->snapshot().issues.empty());
    EXPECT_EQ(process->snapshot().provenance.consistency, Consistency::frozen);
}

TEST_P(Memory, AGuardPageHidesNothingBehindIt) {
    const auto process = freezeWith({"guards"});
    ASSERT_NE(process, nullptr);
    if (victim_->number("supported") == 0)
        GTEST_SKIP() << "this kernel has no MADV_GUARD_INSTALL (Linux 6.13)";
    const std::uint64_t at = victim_->number("guards");
    // Kernels before 6.16 do not tell guard pages from others before they are read.
    EXPECT_TRUE(hasPattern(*memory_, pages(at, 0, 8)));
    EXPECT_TRUE(hasPattern(*memory_, pages(at, 9, 31)));
    EXPECT_TRUE(hasPattern(*memory_, pages(at, 42, 22)));
    std::vector<std::byte> all(64 * page);
    const ReadOutcome outcome = memory_->read(at, all);
    EXPECT_EQ(outcome.bytes, 8 * page);
    EXPECT_NE(outcome.stopped, Absence::none);
    EXPECT_EQ(memory_->read(at + 40 * page, all).bytes, 0U);
    EXPECT_EQ(memory_->extents(pages(at, 0, 64)),
              (std::vector{data(pages(at, 0, 8)), absent(pages(at, 8, 1), Absence::not_present),
                           data(pages(at, 9, 31)), absent(pages(at, 40, 2), Absence::not_present),
                           data(pages(at, 42, 22))}));
}

TEST_P(Memory, HolesOfAMemfdStayHoles) {
    const auto process = freezeWith({"memfd"});
    ASSERT_NE(process, nullptr);
    const std::uint64_t at = victim_->number("memfd");
    const std::string file = fmt::format("/proc/{}/fd/{}", victim_->pid(), victim_->number("fd"));
    struct stat before{};
    ASSERT_EQ(::stat(file.c_str(), &before), 0);
    EXPECT_TRUE(hasPattern(*memory_, pages(at, 5, 1)));
    EXPECT_TRUE(hasPattern(*memory_, pages(at, 1000, 1)));  // written, never mapped in
    EXPECT_EQ(memory_->extents(pages(at, 0, 16384)),
              (std::vector{zero(pages(at, 0, 5)), data(pages(at, 5, 1)), zero(pages(at, 6, 994)),
                           data(pages(at, 1000, 1)), zero(pages(at, 1001, 15383))}));
    std::vector<std::byte> all(64 << 20);
    EXPECT_EQ(memory_->read(at, all).bytes, all.size());
    struct stat after{};
    ASSERT_EQ(::stat(file.c_str(), &after), 0);
    EXPECT_EQ(after.st_blocks, before.st_blocks);
    expectUntouched();
}

TEST_P(Memory, APrivateMappingOfAMemfd) {
    const auto process = freezeWith({"private-memfd"});
    ASSERT_NE(process, nullptr);
    const std::uint64_t at = victim_->number("memfd");
    EXPECT_TRUE(hasPattern(*memory_, pages(at, 1000, 1)));
    EXPECT_EQ(memory_->extents(pages(at, 0, 16384)),
              (std::vector{zero(pages(at, 0, 1000)), data(pages(at, 1000, 1)),
                           zero(pages(at, 1001, 15383))}));
    expectUntouched();
}

TEST_P(Memory, SharedAnonymousMemoryThatIsNotMappedInIsNotLost) {
    const auto process = freezeWith({"shmem"});
    ASSERT_NE(process, nullptr);
    const std::uint64_t at = victim_->number("shmem");
    EXPECT_TRUE(hasPattern(*memory_, pages(at, 7, 1)));
    EXPECT_TRUE(hasPattern(*memory_, pages(at, 2000, 1)));
    EXPECT_EQ(memory_->extents(pages(at, 0, 16384)),
              (std::vector{zero(pages(at, 0, 7)), data(pages(at, 7, 1)), zero(pages(at, 8, 1992)),
                           data(pages(at, 2000, 1)), zero(pages(at, 2001, 14383))}));
    const Region* region = regionAt(*process, at);
    ASSERT_NE(region, nullptr);
    const std::string file = fmt::format("/proc/{}/map_files/{:x}-{:x}", victim_->pid(),
                                         region->range.begin(), region->range.end());
    struct stat status{};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_blocks, 2 * 8);
    EXPECT_EQ(region->kind, RegionKind::shared);
    readPlan(*process);
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_blocks, 2 * 8);
    expectUntouched();
    // 64 MiB of writable shared memory is more than gets copied while the target stands.
    EXPECT_EQ(process->snapshot().provenance.consistency,
              GetParam() == SnapshotMode::clone ? Consistency::mixed : Consistency::frozen);
}

TEST_P(Memory, SystemVSharedMemory) {
    const auto process = freezeWith({"sysv"});
    ASSERT_NE(process, nullptr);
    const std::uint64_t at = victim_->number("sysv");
    EXPECT_TRUE(hasPattern(*memory_, pages(at, 3, 1)));
    EXPECT_EQ(memory_->extents(pages(at, 0, 256)),
              (std::vector{zero(pages(at, 0, 3)), data(pages(at, 3, 1)), zero(pages(at, 4, 252))}));
    EXPECT_EQ(process->snapshot().provenance.consistency, Consistency::frozen);
    expectUntouched();
}

TEST_P(Memory, AdvisedRegionsAreKnownAndRead) {
    const auto process = freezeWith({"advised"});
    ASSERT_NE(process, nullptr);
    const auto at = [&](const char* key) { return victim_->number(key); };
    for (const char* key : {"dontdump", "dontfork", "wipeonfork", "wipe_untouched"})
        ASSERT_NE(regionAt(*process, at(key)), nullptr) << key;
    EXPECT_TRUE(regionAt(*process, at("dontdump"))->dontDump);
    EXPECT_FALSE(regionAt(*process, at("dontdump"))->dontFork);
    EXPECT_TRUE(regionAt(*process, at("dontfork"))->dontFork);
    EXPECT_TRUE(regionAt(*process, at("wipeonfork"))->wipeOnFork);
    EXPECT_TRUE(regionAt(*process, at("wipe_untouched"))->wipeOnFork);
    EXPECT_FALSE(regionAt(*process, at("wipeonfork"))->dontDump);
    EXPECT_TRUE(hasPattern(*memory_, pages(at("dontdump"), 0, 16)));
    EXPECT_TRUE(hasPattern(*memory_, pages(at("dontfork"), 0, 16)));
    EXPECT_TRUE(hasPattern(*memory_, pages(at("wipeonfork"), 0, 4)));
    EXPECT_EQ(
        memory_->extents(pages(at("wipeonfork"), 0, 16)),
        (std::vector{data(pages(at("wipeonfork"), 0, 4)), zero(pages(at("wipeonfork"), 4, 12))}));
    EXPECT_EQ(memory_->extents(pages(at("wipe_untouched"), 0, 16)),
              std::vector{zero(pages(at("wipe_untouched"), 0, 16))});
    // MADV_DONTDUMP is what its owner asked for: no plan takes it.
    for (const SavePlan::Item& item : process->plan().memory)
        EXPECT_FALSE(item.range.overlaps(pages(at("dontdump"), 0, 16)));
    readPlan(*process);
    expectUntouched();
}

TEST_P(Memory, AMiniDumpDoesNotCopyWhatItWillNotSave) {
    const auto process = freezeWith({"advised"}, DumpType{0, false});
    ASSERT_NE(process, nullptr);
    const std::uint64_t at = victim_->number("dontfork");
    if (GetParam() == SnapshotMode::stop) {
        EXPECT_TRUE(hasPattern(*memory_, pages(at, 0, 16)));
        return;
    }
    EXPECT_EQ(memory_->extents(pages(at, 0, 16)),
              std::vector{absent(pages(at, 0, 16), Absence::not_captured)});
}

TEST_P(Memory, ASparseTerabyteIsSeenThroughAtOnce) {
    const auto process = freezeWith({"terabyte"});
    ASSERT_NE(process, nullptr);
    const std::uint64_t at = victim_->number("terabyte");
    const Range all = Range::ofSize(at, std::uint64_t{1} << 40);
    const auto extents = memory_->extents(all);
    std::uint64_t written = 0;
    for (const Extent& extent : extents) {
        EXPECT_EQ(extent.absence, Absence::none);
        if (!extent.zero) written += extent.range.size();
    }
    EXPECT_EQ(extents.size(), 128U);
    EXPECT_EQ(written, 64 * page);
    for (std::uint64_t i = 0; i < 64; ++i)
        EXPECT_TRUE(hasPattern(*memory_, Range::ofSize(at + i * (all.size() / 64), page)));
    expectUntouched();
}

TEST_P(Memory, AFileThatEndsInsideItsMapping) {
    const std::string path = testing::TempDir() + fmt::format("icecore_{}", ::getpid());
    const auto process = freezeWith({"file", path});
    ASSERT_NE(process, nullptr);
    const std::uint64_t at = victim_->number("file");
    // Beyond the file's last page there is nothing: touching it is SIGBUS.
    EXPECT_EQ(memory_->extents(pages(at, 0, 16)),
              (std::vector{data(pages(at, 0, 4)), absent(pages(at, 4, 12), Absence::not_present)}));
    std::vector<std::byte> bytes(16 * page);
    const ReadOutcome outcome = memory_->read(at, bytes);
    EXPECT_EQ(outcome.bytes, 4 * page);
    EXPECT_EQ(outcome.stopped, Absence::not_present);
    EXPECT_EQ(bytes[page], std::byte{'X'});  // changed privately
    for (std::size_t i = 0; i < 4 * page; ++i) {
        if (i == page) continue;
        const auto expected =
            i < 3 * page + 100 ? static_cast<std::byte>(i / 64 + 1) : std::byte{0};
        ASSERT_EQ(bytes[i], expected) << i;
    }
    expectUntouched();
}

TEST_P(Memory, PagesWithoutAccessAreRead) {
    const auto process = freezeWith({"none"});
    ASSERT_NE(process, nullptr);
    EXPECT_TRUE(hasPattern(*memory_, pages(victim_->number("none"), 0, 16)));
    expectUntouched();
}

TEST_P(Memory, WhatTheKernelMapsItselfIsNeverRead) {
    const auto process = freezeWith({"plain"});
    ASSERT_NE(process, nullptr);
    bool vdso = false;
    bool special = false;
    for (const Region& region : process->snapshot().process->regions) {
        if (region.kind == RegionKind::special) {
            special = true;
            EXPECT_EQ(memory_->extents(region.range),
                      std::vector{absent(region.range, Absence::unreadable)})
                << region.name;
            for (const SavePlan::Item& item : process->plan().memory)
                EXPECT_FALSE(item.range.overlaps(region.range)) << region.name;
        }
        if (region.name == "[vdso]") {
            vdso = true;
            std::array<std::byte, 4> magic;
            ASSERT_TRUE(memory_->readExactly(region.range.begin(), magic));
            EXPECT_EQ(magic[1], std::byte{'E'});
        }
    }
    EXPECT_TRUE(vdso);
    EXPECT_TRUE(special) << "no vvar, no vsyscall?";
}

TEST_P(Memory, NothingIsReadAfterRelease) {
    const auto process = freezeWith({"plain"});
    ASSERT_NE(process, nullptr);
    process->release();
    std::array<std::byte, 8> bytes;
    const ReadOutcome outcome = memory_->read(victim_->number("plain"), bytes);
    EXPECT_EQ(outcome.bytes, 0U);
    EXPECT_EQ(outcome.stopped, Absence::unreadable);
    process->release();
}

TEST_P(Memory, MoreThan65535Mappings) {
    constexpr std::uint64_t count = 70'000;
    const tests::MapLimit limit(count + 5000);
    if (!limit.enough())
        GTEST_SKIP() << "needs root: vm.max_map_count is too small and cannot be raised";
    const auto process = freezeWith({"many", std::to_string(count)});
    ASSERT_NE(process, nullptr);
    const std::uint64_t at = victim_->number("many");
    const auto& regions = process->snapshot().process->regions;
    EXPECT_EQ(regions.coverage, Coverage::complete);
    EXPECT_EQ(std::ranges::count_if(
                  regions.items,
                  [&](const Region& region) { return region.range.overlaps(pages(at, 0, count)); }),
              static_cast<std::ptrdiff_t>(count));
    EXPECT_TRUE(hasPattern(*memory_, pages(at, 0, 1)));
    EXPECT_TRUE(hasPattern(*memory_, pages(at, 69'952, 1)));
    std::uint64_t written = 0;
    for (const Extent& extent : memory_->extents(pages(at, 0, count))) {
        if (!extent.zero) written += extent.range.size();
    }
    EXPECT_EQ(written, (count + 63) / 64 * page);
    readPlan(*process);
    expectUntouched();
}

}  // namespace
}  // namespace icecore::live
