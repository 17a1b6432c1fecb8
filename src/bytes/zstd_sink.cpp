// Writes zstd's seekable format: pieces of the content are compressed by worker threads as
// independent frames and written in order by the thread that calls write.
#include <zstd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/text.h"
#include "bytes/seekable_zstd_format.h"
#include "bytes/sink.h"

namespace icecore {

namespace {

using namespace zstd_format;

struct ContextDeleter {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

/// One frame on its way: filled by the writer, compressed by a worker, written by the writer.
struct Job {
    std::vector<std::byte> content;
    std::size_t contentSize = 0;
    std::vector<std::byte> packed;
    std::string error;
    bool ready = false;
};

Result<std::vector<std::byte>> compressOnce(ZSTD_CCtx* context,
                                            std::span<const std::byte> content) {
    std::vector<std::byte> packed(ZSTD_compressBound(content.size()));
    const std::size_t size =
        ZSTD_compress2(context, packed.data(), packed.size(), content.data(), content.size());
    if (ZSTD_isError(size) != 0)
        return fail(Errc::internal, std::string("cannot compress: ") + ZSTD_getErrorName(size));
    packed.resize(size);
    return packed;
}

std::unique_ptr<ZSTD_CCtx, ContextDeleter> newContext(int level) {
    std::unique_ptr<ZSTD_CCtx, ContextDeleter> context(ZSTD_createCCtx());
    if (!context) return context;
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
    return context;
}

class ZstdSink final : public Sink {
public:
    ZstdSink(std::unique_ptr<Sink> inner, int level, std::vector<std::byte> zeroFrame)
        : inner_(std::move(inner)), level_(level), zeroFrame_(std::move(zeroFrame)) {}

    ~ZstdSink() override {
        {
            const std::lock_guard lock(mutex_);
            stop_ = true;
        }
        work_.notify_all();
    }

    void start(int threads) {
        slots_ = static_cast<std::size_t>(threads) + 2;
        for (int i = 0; i < threads; ++i)
            workers_.emplace_back([this] { runWorker(); });
    }

    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override {
        while (!bytes.empty()) {
            const std::size_t count = std::min(bytes.size(), contentPerFrame - current_.size());
            current_.reserve(contentPerFrame);
            current_.insert(current_.end(), bytes.begin(),
                            bytes.begin() + static_cast<std::ptrdiff_t>(count));
            position_ += count;
            bytes = bytes.subspan(count);
            if (current_.size() == contentPerFrame) TRY(submit());
        }
        return {};
    }

    [[nodiscard]] Result<void> zeros(std::uint64_t count) override {
        while (count > 0) {
            if (current_.empty() && count >= contentPerFrame) {
                TRY(submitZeroFrame());
                position_ += contentPerFrame;
                count -= contentPerFrame;
                continue;
            }
            const auto piece = static_cast<std::size_t>(
                std::min<std::uint64_t>(count, contentPerFrame - current_.size()));
            current_.reserve(contentPerFrame);
            current_.resize(current_.size() + piece);
            position_ += piece;
            count -= piece;
            if (current_.size() == contentPerFrame) TRY(submit());
        }
        return {};
    }

    [[nodiscard]] Result<void> finish() override {
        if (!current_.empty()) TRY(submit());
        while (!jobs_.empty())
            TRY(writeOldest());
        TRY(writeSeekTable());
        return inner_->finish();
    }

private:
    void runWorker() {
        const auto context = newContext(level_);
        std::unique_lock lock(mutex_);
        for (;;) {
            work_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
            if (stop_) return;
            Job& job = *waiting_.front();
            waiting_.pop_front();
            lock.unlock();
            std::string error = "out of memory";
            std::vector<std::byte> packed;
            if (context) {
                try {
                    auto result = compressOnce(context.get(), job.content);
                    error = result ? std::string() : result.error().message;
                    if (result) packed = std::move(*result);
                } catch (const std::bad_alloc&) {
                    error = "out of memory";  // must not end the thread, the writer waits for it
                }
            }
            lock.lock();
            job.packed = std::move(packed);
            job.error = std::move(error);
            job.ready = true;
            done_.notify_one();
        }
    }

    Result<Job*> newJob() {
        while (jobs_.size() >= slots_)
            TRY(writeOldest());
        jobs_.push_back(std::make_unique<Job>());
        return jobs_.back().get();
    }

    Result<void> submit() {
        ASSIGN_OR_RETURN(Job* const job, newJob());
        job->content = std::move(current_);
        job->contentSize = job->content.size();
        current_ = {};
        {
            const std::lock_guard lock(mutex_);
            waiting_.push_back(job);
        }
        work_.notify_one();
        return {};
    }

    Result<void> submitZeroFrame() {
        if (jobs_.empty()) return writeFrame(zeroFrame_, contentPerFrame);
        // Behind jobs in work it waits for its turn like any other, but needs no worker.
        ASSIGN_OR_RETURN(Job* const job, newJob());
        job->packed = zeroFrame_;
        job->contentSize = contentPerFrame;
        job->ready = true;
        return {};
    }

    Result<void> writeOldest() {
        Job& job = *jobs_.front();
        {
            std::unique_lock lock(mutex_);
            done_.wait(lock, [&] { return job.ready; });
        }
        if (!job.error.empty()) return fail(Errc::internal, job.error);
        TRY(writeFrame(job.packed, job.contentSize));
        jobs_.pop_front();
        return {};
    }

    Result<void> writeFrame(std::span<const std::byte> packed, std::size_t contentSize) {
        if (table_.size() >= maxFrames) return fail(Errc::limit, "too big for one compressed file");
        TRY(inner_->write(packed));
        SeekEntry entry;
        entry.compressedSize = static_cast<std::uint32_t>(packed.size());
        entry.contentSize = static_cast<std::uint32_t>(contentSize);
        table_.push_back(entry);
        return {};
    }

    Result<void> writeSeekTable() {
        SkippableHeader header;
        header.magic = seekTableMagic;
        header.size =
            static_cast<std::uint32_t>(table_.size() * sizeof(SeekEntry) + sizeof(SeekFooter));
        TRY(inner_->write(bytesOf(header)));
        TRY(inner_->write(std::as_bytes(std::span(table_))));
        SeekFooter footer;
        footer.frameCount = static_cast<std::uint32_t>(table_.size());
        footer.magic = footerMagic;
        return inner_->write(bytesOf(footer));
    }

    std::unique_ptr<Sink> inner_;
    int level_;
    std::vector<std::byte> zeroFrame_;  ///< contentPerFrame zeros, compressed
    std::vector<std::byte> current_;
    std::vector<SeekEntry> table_;
    std::deque<std::unique_ptr<Job>> jobs_;  ///< in order; only the writing thread touches it
    std::size_t slots_ = 0;

    std::mutex mutex_;
    std::condition_variable work_, done_;
    std::deque<Job*> waiting_;
    bool stop_ = false;
    std::vector<std::jthread> workers_;  // last: joined before anything they use goes
};

}  // namespace

Result<std::unique_ptr<Sink>> compressZstd(std::unique_ptr<Sink> inner, int level, int threads) {
    if (threads <= 0) threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    threads = std::min(threads, 64);
    const auto context = newContext(level);
    if (!context) return fail(Errc::internal, "out of memory for the compressor");
    ASSIGN_OR_RETURN(auto zeroFrame,
                     compressOnce(context.get(), std::vector<std::byte>(contentPerFrame)));
    auto sink = std::make_unique<ZstdSink>(std::move(inner), level, std::move(zeroFrame));
    sink->start(threads);
    return sink;
}

}  // namespace icecore
