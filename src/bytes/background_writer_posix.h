// Writes buffers to a file on a thread of its own, past the page cache.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/one_behind.h"
#include "base/range.h"
#include "bytes/direct_io_posix.h"

namespace icecore {

/// Writes what it is given in order. The first error stays. `plain` and `large` are the same file
/// twice, and stay the caller's; `large` was opened with O_DIRECT where it is to be passed by the
/// page cache (`pastCache`).
class BackgroundWriter {
public:
    BackgroundWriter(int plain, int large, bool pastCache, std::string name)
        : plain_(plain), large_(large), pastCache_(pastCache), name_(std::move(name)) {}
    ~BackgroundWriter();
    BackgroundWriter(const BackgroundWriter&) = delete;
    BackgroundWriter& operator=(const BackgroundWriter&) = delete;

    /// `bufferSize`: of most buffers that will be given.
    void start(std::size_t bufferSize);
    /// What went wrong so far. Nothing is written after that.
    [[nodiscard]] Result<void> state();
    /// `zeros`: ranges of the file within [offset, offset + size) that hold nothing else, ascending
    /// and disjoint. Where they are much of it, the whole blocks among them become holes.
    void give(std::shared_ptr<const std::byte> buffer, std::uint64_t offset, std::size_t size,
              std::vector<Range> zeros = {});
    /// Until nothing is left to write.
    [[nodiscard]] Result<void> drain();

private:
    struct Job {
        std::shared_ptr<const std::byte> buffer;
        std::uint64_t offset = 0;
        std::size_t size = 0;
        std::vector<Range> zeros;
    };

    void run();
    [[nodiscard]] Result<void> write(const Job& job);
    [[nodiscard]] Result<void> writeBetween(const Job& job, const std::vector<Range>& holes);
    [[nodiscard]] Result<void> passOn(Range written, std::uint64_t bytes);
    [[nodiscard]] Result<void> writeAll(int file, std::span<const std::byte> bytes,
                                        std::uint64_t offset) const;
    [[nodiscard]] bool leaveDirect() const;

    int plain_, large_;
    bool pastCache_;
    std::string name_;
    std::size_t bufferSize_ = 0;
    Range cached_;                   ///< went through the page cache
    std::uint64_t cachedBytes_ = 0;  ///< in cached_
    OneBehind<Range> leaving_{[this](Range range) {
        direct_io::dropFromCache(plain_, range);
        return Result<void>();
    }};
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Job> jobs_;
    std::optional<Error> error_;
    bool busy_ = false, ended_ = false;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace icecore
