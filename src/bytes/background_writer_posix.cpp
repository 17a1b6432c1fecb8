#include "bytes/background_writer_posix.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"

namespace icecore {

namespace {

/// The whole blocks of them.
std::vector<Range> wholeBlocks(std::vector<Range> zeros) {
    for (Range& range : zeros)
        range = Range::between(alignUp(range.begin(), direct_io::alignment),
                               alignDown(range.end(), direct_io::alignment));
    std::erase_if(zeros, [](Range range) { return range.empty(); });
    return zeros;
}

}  // namespace

BackgroundWriter::~BackgroundWriter() {
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
    }
    changed_.notify_all();
}

void BackgroundWriter::start(std::size_t bufferSize) {
    bufferSize_ = bufferSize;
    thread_ = std::jthread([this] { run(); });
}

Result<void> BackgroundWriter::state() {
    const std::lock_guard lock(mutex_);
    if (error_) return std::unexpected(*error_);
    return {};
}

void BackgroundWriter::give(std::shared_ptr<const std::byte> buffer, std::uint64_t offset,
                            std::size_t size, std::vector<Range> zeros) {
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back({std::move(buffer), offset, size, std::move(zeros)});
    }
    changed_.notify_all();
}

Result<void> BackgroundWriter::drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return error_ || (jobs_.empty() && !busy_); });
    if (error_) return std::unexpected(*error_);
    return {};
}

void BackgroundWriter::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return ended_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        Job job = std::move(jobs_.front());
        jobs_.pop_front();
        busy_ = true;
        const bool skip = error_.has_value();
        lock.unlock();
        auto written = skip ? Result<void>() : write(job);
        job.buffer.reset();
        lock.lock();
        busy_ = false;
        if (!written && !error_) error_ = std::move(written).error();
        changed_.notify_all();
    }
}

Result<void> BackgroundWriter::write(const Job& job) {
    const std::vector<Range> holes = wholeBlocks(job.zeros);
    std::uint64_t empty = 0;
    for (const Range hole : holes)
        empty += hole.size();
    // The page cache is slower than the disk: it is worth it where most need not be written, or
    // where there is little, as between long holes.
    const bool isLittle = job.size <= bufferSize_ / 4;
    if (!holes.empty() && (isLittle || empty >= job.size / 4 * 3)) return writeBetween(job, holes);
    return writeAll(large_, {job.buffer.get(), job.size}, job.offset);
}

/// Small pieces past the page cache would each wait for the disk: they go through it.
Result<void> BackgroundWriter::writeBetween(const Job& job, const std::vector<Range>& holes) {
    const std::span<const std::byte> bytes(job.buffer.get(), job.size);
    std::uint64_t at = job.offset, written = 0;
    const auto writeUpTo = [&](std::uint64_t end) {
        written += end - at;
        return writeAll(plain_, bytes.subspan(at - job.offset, end - at), at);
    };
    for (const Range hole : holes) {
        TRY(writeUpTo(hole.begin()));
        at = hole.end();
    }
    TRY(writeUpTo(job.offset + job.size));
    return pastCache_ ? passOn(Range::ofSize(job.offset, job.size), written) : Result<void>();
}

/// Some buffers' worth stays in the page cache: while the disk takes one, the next gathers.
Result<void> BackgroundWriter::passOn(Range written, std::uint64_t bytes) {
    cached_ = Range::between(cachedBytes_ == 0 ? written.begin() : cached_.begin(), written.end());
    cachedBytes_ += bytes;
    if (cachedBytes_ < bufferSize_) return {};
    direct_io::beginWriting(plain_, cached_);
    cachedBytes_ = 0;
    return leaving_.give(cached_);
}

Result<void> BackgroundWriter::writeAll(int file, std::span<const std::byte> bytes,
                                        std::uint64_t offset) const {
    while (!bytes.empty()) {
        const ssize_t got = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno == EINVAL && file == large_ && leaveDirect()) continue;
        if (got < 0) return failErrno(errno, "cannot write", name_);
        bytes = bytes.subspan(static_cast<std::size_t>(got));
        offset += static_cast<std::uint64_t>(got);
    }
    return {};
}

/// Some file systems open with O_DIRECT and then refuse it.
bool BackgroundWriter::leaveDirect() const {
    const int flags = ::fcntl(large_, F_GETFL);
    return flags >= 0 && (flags & direct_io::flag) != 0 &&
           ::fcntl(large_, F_SETFL, flags & ~direct_io::flag) == 0;
}

}  // namespace icecore
