// How often a kdump file is read for a page: its descriptors stand side by side, and are read so.
#include "formats/kdump/page_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "formats/image/sample_machine.h"
#include "formats/kdump/kdump.h"

namespace icecore::kdump {
namespace {

using image::testing::MadeUpMemory;

constexpr std::uint64_t page = 4096, inBlock = 4096 / sizeof(PageDescriptor);

/// Counts how often it is read, of the table of pages and of anything else.
class CountingSource final : public Source {
public:
    explicit CountingSource(std::vector<std::byte> bytes)
        : file_(memorySource(std::move(bytes), "counted")) {}
    [[nodiscard]] const std::string& name() const override { return file_->name(); }
    [[nodiscard]] std::uint64_t size() const override { return file_->size(); }
    [[nodiscard]] Result<std::size_t> read(std::uint64_t offset,
                                           std::span<std::byte> out) const override {
        ++(table.contains(offset) ? ofTable : ofOther);
        return file_->read(offset, out);
    }
    Range table;
    mutable std::atomic<std::size_t> ofTable = 0, ofOther = 0;

private:
    std::shared_ptr<const Source> file_;
};

/// 64 MiB of memory written as kdump, and opened: reads are counted from then on.
class KdumpReads : public testing::Test {
protected:
    void SetUp() override {
        open(image::testing::machineOf(std::make_shared<MadeUpMemory>(
            std::vector{Range::between(memory_.begin(), memory_.end())})));
    }
    void open(const Snapshot& machine) {
        MemorySink sink;
        SilentProgress none;
        ASSERT_TRUE(kdumpFormat().writeImage(machine, {}, sink, none));
        Header header;
        std::memcpy(static_cast<void*>(&header), sink.bytes().data(), sizeof header);
        file_ = std::make_shared<CountingSource>(std::move(sink.bytes()));
        const std::uint64_t at =
            (1 + std::uint64_t{header.subHeaderBlocks} + header.bitmapBlocks) * header.blockSize;
        file_->table = Range::ofSize(at, pages_ * sizeof(PageDescriptor));
        auto opened = kdumpFormat().open(file_);
        ASSERT_TRUE(opened) << opened.error().describe();
        image_ = opened->machine->physical;
        file_->ofTable = file_->ofOther = 0;
    }
    void expectPage(std::uint64_t at) const {
        std::vector<std::byte> bytes(page);
        ASSERT_EQ(image_->read(at, bytes).bytes, page) << at;
        for (std::size_t i = 0; i < page; i += 61)
            ASSERT_EQ(bytes[i], MadeUpMemory::byteAt(at + i)) << at + i;
    }

    const Range memory_ = Range::ofSize(0x100000, std::uint64_t{64} << 20);
    const std::uint64_t pages_ = memory_.size() / page;
    std::shared_ptr<CountingSource> file_;
    std::shared_ptr<const AddressSpace> image_;
};

TEST_F(KdumpReads, APageCostsOneReadBesideItsBlockOfDescriptors) {
    expectPage(memory_.begin() + 2 * page);
    EXPECT_EQ(file_->ofTable, 1U);
    EXPECT_EQ(file_->ofOther, 1U);
    // Part of the next page: kept whole, so the rest of it costs nothing more.
    std::byte few[16];
    EXPECT_EQ(image_->read(memory_.begin() + 3 * page + 100, few).bytes, 16U);
    EXPECT_EQ(image_->read(memory_.begin() + 3 * page + 2000, few).bytes, 16U);
    EXPECT_EQ(file_->ofTable, 1U);
    EXPECT_EQ(file_->ofOther, 2U);
}

TEST_F(KdumpReads, ZeroPagesShareOneThatIsUnpackedTwiceAtMost) {
    const auto zeros = memorySource(std::vector<std::byte>(pages_ * page), "zeros.raw");
    auto raw = formatByName("raw")->open(zeros);
    ASSERT_TRUE(raw);
    open(*raw);
    std::vector<std::byte> bytes(page);
    for (std::uint64_t at = 0; at < pages_ * page; at += page) {
        ASSERT_EQ(image_->read(at, bytes).bytes, page);
        ASSERT_EQ(bytes[page - 1], std::byte{0});
    }
    EXPECT_LE(file_->ofOther, 2U);
}

TEST_F(KdumpReads, InOrderTheTableIsReadOnceAllInAll) {
    for (std::uint64_t at = memory_.begin(); at < memory_.end(); at += page)
        expectPage(at);
    EXPECT_EQ(file_->ofTable, (pages_ + inBlock - 1) / inBlock);
    EXPECT_LE(file_->ofOther, pages_);
}

TEST_F(KdumpReads, InAnyOrderItIsReadOnceForEachPageAtMost) {
    // Each page lies in another block than the last; the blocks are three times as many as are
    // kept.
    std::uint64_t number = 0;
    for (std::uint64_t i = 0; i < pages_; ++i) {
        number = (number + 5003) % pages_;
        expectPage(memory_.begin() + number * page);
    }
    EXPECT_LE(file_->ofTable, pages_);
    EXPECT_LE(file_->ofOther, pages_);
}

TEST_F(KdumpReads, ThreadsShareTheTable) {
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (std::uint64_t first = 0; first < 4; ++first) {
        threads.emplace_back([this, first] {
            for (std::uint64_t number = first; number < pages_; number += 4)
                expectPage(memory_.begin() + number * page);
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    // Two may want the same block at the same moment, and both read it.
    EXPECT_LE(file_->ofTable, 4 * ((pages_ + inBlock - 1) / inBlock));
}

TEST(KdumpPageTable, EndsWhereTheFileDoes) {
    PageDescriptor descriptor{};
    descriptor.size = 7;
    std::vector<std::byte> bytes(100);
    for (int i = 0; i < 200; ++i) {
        const auto raw = bytesOf(descriptor);
        bytes.insert(bytes.end(), raw.begin(), raw.end());
    }
    bytes.pop_back();
    const PageTable table(memorySource(std::move(bytes), "table"), 100);
    const auto last = table.at(198);
    ASSERT_TRUE(last);
    EXPECT_EQ(last->size, 7U);
    for (const std::uint64_t number : {std::uint64_t{199}, std::uint64_t{200}, std::uint64_t{1000},
                                       UINT64_MAX / 24, UINT64_MAX}) {
        const auto none = table.at(number);
        ASSERT_FALSE(none) << number;
        EXPECT_EQ(none.error().code, Errc::truncated);
    }
}

}  // namespace
}  // namespace icecore::kdump
