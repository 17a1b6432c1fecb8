#include "app/hashing_sink.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>

#include "base/text.h"
#include "bytes/past_cache.h"

namespace icecore::app {

/// What comes in small pieces is gathered in blocks, which go round: the first hash of them is
/// taken on a thread of its own.
class StreamHashes::Behind {
public:
    Behind(std::span<One> ones, std::size_t bufferSize)
        : ones_(ones), blockSize_(std::max<std::size_t>(bufferSize / blockCount, 4096)) {
        for (Block& block : blocks_) {
            block.bytes = std::make_unique_for_overwrite<std::byte[]>(blockSize_);
            free_.push_back(&block);
        }
        thread_ = std::jthread([this] { run(); });
    }
    ~Behind() {
        give();
        {
            const std::lock_guard lock(mutex_);
            ended_ = true;
        }
        changed_.notify_all();
    }
    Behind(const Behind&) = delete;
    Behind& operator=(const Behind&) = delete;

    void update(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            needBlock();
            const std::size_t count = std::min(bytes.size(), blockSize_ - block_->used);
            std::memcpy(block_->bytes.get() + block_->used, bytes.data(), count);
            took(count);
            bytes = bytes.subspan(count);
        }
    }
    void zeros(std::uint64_t count) {
        while (count > 0) {
            needBlock();
            if (count >= blockSize_) {
                block_->zeros = count;
                return give();
            }
            const auto part = std::min(static_cast<std::size_t>(count), blockSize_ - block_->used);
            std::memset(block_->bytes.get() + block_->used, 0, part);
            took(part);
            count -= part;
        }
    }

private:
    static constexpr std::size_t blockCount = 4;
    struct Block {
        std::unique_ptr<std::byte[]> bytes;
        std::size_t used = 0;
        std::uint64_t zeros = 0;  ///< behind the bytes

        void addTo(Hasher& hasher) const {
            hasher.update({bytes.get(), used});
            hasher.zeros(zeros);
        }
    };

    void needBlock() {
        if (block_ != nullptr) return;
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return !free_.empty(); });
        block_ = free_.front();
        free_.pop_front();
    }
    void took(std::size_t count) {
        block_->used += count;
        if (block_->used == blockSize_) give();
    }
    void give() {
        if (block_ == nullptr) return;
        for (One& one : ones_.subspan(1))
            block_->addTo(one.hasher);
        {
            const std::lock_guard lock(mutex_);
            filled_.push_back(block_);
        }
        changed_.notify_all();
        block_ = nullptr;
    }
    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return ended_ || !filled_.empty(); });
            if (filled_.empty()) return;
            Block* const block = filled_.front();
            filled_.pop_front();
            lock.unlock();
            block->addTo(ones_.front().hasher);
            block->used = 0;
            block->zeros = 0;
            lock.lock();
            free_.push_back(block);
            changed_.notify_all();
        }
    }

    std::span<One> ones_;
    std::size_t blockSize_;
    std::array<Block, blockCount> blocks_;
    Block* block_ = nullptr;  ///< the one that is being filled
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Block*> free_, filled_;
    bool ended_ = false;
    std::jthread thread_;  // last: it uses all of the above
};

StreamHashes::StreamHashes(std::span<const HashKind> kinds, std::size_t bufferSize)
    : bufferSize_(bufferSize) {
    for (const HashKind kind : kinds)
        ones_.push_back({kind, Hasher(kind)});
}
StreamHashes::~StreamHashes() = default;

void StreamHashes::update(std::span<const std::byte> bytes) {
    if (ones_.empty()) return;
    if (!behind_) behind_ = std::make_unique<Behind>(ones_, bufferSize_);
    behind_->update(bytes);
}

void StreamHashes::zeros(std::uint64_t count) {
    if (ones_.empty()) return;
    if (!behind_) behind_ = std::make_unique<Behind>(ones_, bufferSize_);
    behind_->zeros(count);
}

std::vector<std::pair<std::string, std::string>> StreamHashes::finish() {
    behind_.reset();
    std::vector<std::pair<std::string, std::string>> values;
    values.reserve(ones_.size());
    for (One& one : ones_)
        values.emplace_back(toString(one.kind), hexBytes(one.hasher.finish()));
    return values;
}

HashingSink::HashingSink(std::unique_ptr<Sink> inner, std::size_t bufferSize)
    : inner_(std::move(inner)), hashes_(manifestHashes, std::min(bufferSize, mostBuffer)) {}

Result<void> HashingSink::write(std::span<const std::byte> bytes) {
    if (!patched_) hashes_.update(bytes);
    TRY(inner_->write(bytes));
    position_ = inner_->position();
    return {};
}

Result<void> HashingSink::zeros(std::uint64_t count) {
    if (!patched_) hashes_.zeros(count);
    TRY(inner_->zeros(count));
    position_ = inner_->position();
    return {};
}

Result<void> HashingSink::reserve(std::uint64_t count) {
    auto* const reserving = dynamic_cast<ReservingSink*>(inner_.get());
    if (reserving == nullptr) return zeros(count);
    patched_ = true;
    TRY(reserving->reserve(count));
    position_ = inner_->position();
    return {};
}

Result<void> HashingSink::patch(std::uint64_t offset, std::span<const std::byte> bytes) {
    patched_ = true;
    return inner_->patch(offset, bytes);
}

Result<void> HashingSink::finish() {
    return inner_->finish();
}

Result<std::vector<std::pair<std::string, std::string>>> hashFile(const std::string& path,
                                                                  std::uint64_t size,
                                                                  std::span<const HashKind> kinds,
                                                                  std::size_t bufferSize) {
    StreamHashes hashes(kinds, bufferSize);
    TRY(readPastCache(path, size, [&](std::span<const std::byte> bytes) { hashes.update(bytes); }));
    return hashes.finish();
}

}  // namespace icecore::app
