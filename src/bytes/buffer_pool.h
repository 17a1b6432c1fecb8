// Buffers that go round.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/range.h"

namespace icecore {

/// At most so many buffers of one size, made when they are first needed and aligned as disks want
/// it; large ones of huge pages where the system has them: to the disk and to the CPU such a buffer
/// is one piece where it would be a thousand. One that nobody holds any more comes back, on
/// whatever thread that is; the last of them may outlive the pool.
class BufferPool {
public:
    static constexpr std::size_t alignment = 4096;
    /// Of each of `count` buffers that have about `memory` bytes together.
    static std::size_t sizeOfEach(std::size_t memory, std::size_t count) {
        return alignUp(std::max<std::size_t>(memory / count, 1), alignment);
    }

    /// `size`: of each, a multiple of the alignment.
    BufferPool(std::size_t most, std::size_t size)
        : shelf_(std::make_shared<Shelf>()), most_(most), size_(size) {
        shelf_->free.reserve(most);
    }

    /// Makes all of them now. False where there is no memory for it.
    [[nodiscard]] bool makeAll() {
        for (; made_ < most_; ++made_) {
            Buffer buffer = make();
            if (!buffer) return false;
            const std::lock_guard lock(shelf_->mutex);
            shelf_->free.push_back(std::move(buffer));
        }
        return true;
    }

    /// One that is free, once there is one; null where there is no memory for the first.
    [[nodiscard]] std::shared_ptr<std::byte> take() {
        std::unique_lock lock(shelf_->mutex);
        if (shelf_->free.empty() && made_ < most_) {
            if (Buffer buffer = make()) {
                ++made_;
                lock.unlock();  // lending may fail, and puts back then
                return lend(std::move(buffer));
            }
            if (made_ == 0) return nullptr;
        }
        shelf_->returned.wait(lock, [this] { return !shelf_->free.empty(); });
        Buffer buffer = std::move(shelf_->free.back());
        shelf_->free.pop_back();
        lock.unlock();
        return lend(std::move(buffer));
    }

private:
    struct Freed {
        void operator()(std::byte* bytes) const { std::free(bytes); }
    };
    using Buffer = std::unique_ptr<std::byte, Freed>;
    struct Shelf {
        std::mutex mutex;
        std::condition_variable returned;
        std::vector<Buffer> free;  ///< has room for all
    };

    [[nodiscard]] Buffer make() const;
    [[nodiscard]] std::shared_ptr<std::byte> lend(Buffer buffer) const {
        return {buffer.release(), [shelf = shelf_](std::byte* bytes) {
                    {
                        const std::lock_guard lock(shelf->mutex);
                        shelf->free.emplace_back(bytes);
                    }
                    shelf->returned.notify_one();
                }};
    }

    std::shared_ptr<Shelf> shelf_;
    std::size_t most_, size_, made_ = 0;
};

}  // namespace icecore
