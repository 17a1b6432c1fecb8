#include "live/linux/memory_reader.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "base/text.h"
#include "live/linux/proc.h"

namespace icecore::live {
namespace {

constexpr std::size_t size = std::size_t{8} << 20;

/// A private mapping in 4 KiB pages, and a child of ours that shares all of it.
class SharedAfterFork : public testing::Test {
protected:
    void SetUp() override {
        void* at =
            ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(at, MAP_FAILED);
        memory_ = static_cast<std::byte*>(at);
        ::madvise(at, size, MADV_NOHUGEPAGE);
        std::memset(at, 0x5a, size);
        child_ = ::fork();
        if (child_ == 0) {
            for (;;)
                ::pause();
        }
        ASSERT_GT(child_, 0);
    }
    void TearDown() override {
        if (child_ > 0) {
            ::kill(child_, SIGKILL);
            ::waitpid(child_, nullptr, 0);
        }
        if (memory_ != nullptr) ::munmap(memory_, size);
    }
    /// KiB of the child that it shares with nobody. A page copied for a reader counts as clean.
    [[nodiscard]] std::uint64_t privateKib() const {
        const std::string text = readProcOrEmpty(procPath(child_, "smaps_rollup"));
        std::uint64_t sum = 0;
        for (const std::string_view line : split(text, '\n')) {
            const auto words = splitBlanks(line);
            if (words.size() >= 2 && words[0].starts_with("Private_"))
                sum += parseDecimal(words[1]).value_or(0);
        }
        return sum;
    }

    std::byte* memory_ = nullptr;
    pid_t child_ = -1;
};

TEST_F(SharedAfterFork, ReadingCopiesNoPage) {
    const MemoryReader reader(child_);
    std::vector<std::byte> bytes(size);
    const std::uint64_t before = privateKib();
    ASSERT_EQ(reader.read(reinterpret_cast<std::uint64_t>(memory_), bytes), size);
    EXPECT_EQ(std::memcmp(bytes.data(), memory_, size), 0);
    // Its own stack may have been written to meanwhile.
    EXPECT_LT(privateKib(), before + size / 1024 / 4);
}

TEST_F(SharedAfterFork, ReadingStopsWhereNothingIs) {
    ::munmap(memory_ + size / 2, size / 2);  // ours; the child keeps its own
    const MemoryReader child(child_), own(::getpid());
    std::vector<std::byte> bytes(size);
    EXPECT_EQ(child.read(reinterpret_cast<std::uint64_t>(memory_), bytes), size);
    EXPECT_EQ(own.read(reinterpret_cast<std::uint64_t>(memory_), bytes), size / 2);
}

}  // namespace
}  // namespace icecore::live
