#include "app/hashing_sink.h"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <new>
#include <thread>

#include "base/text.h"
#include "bytes/buffer_pool.h"
#include "bytes/past_cache.h"

namespace icecore::app {

/// Pieces wait for the thread that takes the first hash of them. What does not stay where it is
/// is gathered in blocks, which go round.
class StreamHashes::Behind {
public:
    Behind(std::span<One> ones, std::size_t bufferSize)
        : ones_(ones),
          blockSize_(BufferPool::sizeOfEach(bufferSize, blockCount)),
          blocks_(blockCount, blockSize_) {
        thread_ = std::jthread([this] { run(); });
    }
    ~Behind() {
        giveBlock();
        {
            const std::lock_guard lock(mutex_);
            ended_ = true;
        }
        changed_.notify_all();
    }
    Behind(const Behind&) = delete;
    Behind& operator=(const Behind&) = delete;

    void update(std::shared_ptr<const std::byte> owner, std::span<const std::byte> bytes) {
        if (owner) {
            giveBlock();
            return give(Piece{std::move(owner), bytes, 0});
        }
        while (!bytes.empty()) {
            needBlock();
            const std::size_t count = std::min(bytes.size(), blockSize_ - used_);
            std::memcpy(block_.get() + used_, bytes.data(), count);
            took(count);
            bytes = bytes.subspan(count);
        }
    }
    void zeros(std::uint64_t count) {
        if (count >= blockSize_) {
            giveBlock();
            return give(Piece{nullptr, {}, count});
        }
        while (count > 0) {
            needBlock();
            const auto part = std::min(static_cast<std::size_t>(count), blockSize_ - used_);
            std::memset(block_.get() + used_, 0, part);
            took(part);
            count -= part;
        }
    }

private:
    static constexpr std::size_t blockCount = 4, mostPieces = 8;
    struct Piece {
        std::shared_ptr<const std::byte> owner;
        std::span<const std::byte> bytes;
        std::uint64_t zeros = 0;  ///< behind the bytes

        void addTo(Hasher& hasher) const {
            hasher.update(bytes);
            hasher.zeros(zeros);
        }
    };

    void needBlock() {
        if (block_ == nullptr) block_ = blocks_.take();
        if (block_ == nullptr) throw std::bad_alloc();
    }
    void took(std::size_t count) {
        used_ += count;
        if (used_ == blockSize_) giveBlock();
    }
    void giveBlock() {
        if (block_ == nullptr) return;
        const std::shared_ptr<const std::byte> block = std::exchange(block_, nullptr);
        give(Piece{block, {block.get(), std::exchange(used_, 0)}, 0});
    }
    void give(const Piece& piece) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return pieces_.size() < mostPieces; });
            pieces_.push_back(piece);
        }
        changed_.notify_all();
        for (One& one : ones_.subspan(1))
            piece.addTo(one.hasher);
    }
    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return ended_ || !pieces_.empty(); });
            if (pieces_.empty()) return;
            Piece piece = std::move(pieces_.front());
            pieces_.pop_front();
            lock.unlock();
            changed_.notify_all();
            piece.addTo(ones_.front().hasher);
            piece.owner.reset();
            lock.lock();
        }
    }

    std::span<One> ones_;
    std::size_t blockSize_;
    BufferPool blocks_;
    std::shared_ptr<std::byte> block_;  ///< the one that is being filled
    std::size_t used_ = 0;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Piece> pieces_;
    bool ended_ = false;
    std::jthread thread_;  // last: it uses all of the above
};

StreamHashes::StreamHashes(std::span<const HashKind> kinds, std::size_t bufferSize)
    : bufferSize_(bufferSize) {
    for (const HashKind kind : kinds)
        ones_.push_back({kind, Hasher(kind)});
}
StreamHashes::~StreamHashes() = default;

StreamHashes::Behind& StreamHashes::behind() {
    if (!behind_) behind_ = std::make_unique<Behind>(ones_, bufferSize_);
    return *behind_;
}

void StreamHashes::update(std::shared_ptr<const std::byte> owner,
                          std::span<const std::byte> bytes) {
    if (!ones_.empty()) behind().update(std::move(owner), bytes);
}

void StreamHashes::zeros(std::uint64_t count) {
    if (!ones_.empty()) behind().zeros(count);
}

std::vector<std::pair<std::string, std::string>> StreamHashes::finish() {
    behind_.reset();
    std::vector<std::pair<std::string, std::string>> values;
    values.reserve(ones_.size());
    for (One& one : ones_)
        values.emplace_back(toString(one.kind), hexBytes(one.hasher.finish()));
    return values;
}

HashingSink::HashingSink(std::unique_ptr<Sink> inner, std::size_t bufferSize, PartFile* file)
    : hashes_(manifestHashes, std::min(bufferSize, mostBuffer)),
      inner_(std::move(inner)),
      file_(file) {
    if (file_ != nullptr) file_->showTo(this);
}

void HashingSink::seeBytes(std::shared_ptr<const std::byte> owner,
                           std::span<const std::byte> bytes) {
    if (!patched_) hashes_.update(std::move(owner), bytes);
}

void HashingSink::seeZeros(std::uint64_t count) {
    if (!patched_) hashes_.zeros(count);
}

Result<void> HashingSink::write(std::span<const std::byte> bytes) {
    if (file_ == nullptr) seeBytes(nullptr, bytes);
    TRY(inner_->write(bytes));
    position_ = inner_->position();
    return {};
}

Result<void> HashingSink::zeros(std::uint64_t count) {
    if (file_ == nullptr) seeZeros(count);
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
    TRY(readPastCache(
        path, size, bufferSize,
        [&](std::shared_ptr<const std::byte> owner, std::span<const std::byte> bytes) {
            hashes.update(std::move(owner), bytes);
        }));
    return hashes.finish();
}

}  // namespace icecore::app
