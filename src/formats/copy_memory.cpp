#include "formats/copy_memory.h"

#include <algorithm>
#include <bit>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <new>
#include <thread>

#include "bytes/zeros.h"

namespace icecore {

namespace {

constexpr std::size_t pageSize = 4096;
/// A small part of what is copied, as it may be the machine's own memory; large enough that the two
/// threads seldom wake one another.
constexpr std::uint64_t leastBlock = std::uint64_t{128} << 10, mostBlock = std::uint64_t{1} << 20;
constexpr std::uint64_t blocksOfAll = 4096;
constexpr std::size_t blockCount = 4;
/// Bounds what a block of very small pieces costs besides its bytes.
constexpr std::size_t maxPieces = 8192;
/// How much address space is asked about at once: bounds the list of extents.
constexpr std::uint64_t extentWindow = std::uint64_t{1} << 30;

/// A run of output: `size` bytes of the block's buffer, or zeros that are not in it.
struct Piece {
    std::uint64_t size = 0;
    bool zero = false;
};

std::size_t blockSizeFor(std::span<const Range> ranges) {
    std::uint64_t bytes = 0;
    for (const Range& range : ranges)
        bytes += range.size();
    return static_cast<std::size_t>(
        std::clamp(std::bit_floor(bytes / blocksOfAll), leastBlock, mostBlock));
}

struct Block {
    std::unique_ptr<std::byte[]> buffer;
    std::size_t capacity = 0, used = 0;
    std::vector<Piece> pieces;

    void append(std::uint64_t size, bool zero) {
        if (!pieces.empty() && pieces.back().zero == zero)
            pieces.back().size += size;
        else
            pieces.push_back({size, zero});
    }
    [[nodiscard]] bool full() const { return used == capacity || pieces.size() >= maxPieces; }
};

/// Blocks going round between the thread that fills and the one that empties.
class Exchange {
public:
    explicit Exchange(std::size_t blockSize) {
        for (Block& block : blocks_) {
            block.buffer = std::make_unique_for_overwrite<std::byte[]>(blockSize);
            block.capacity = blockSize;
            free_.push_back(&block);
        }
    }
    /// An empty block, or null when the other side gave up.
    Block* takeFree() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return stopped_ || !free_.empty(); });
        if (stopped_) return nullptr;
        return take(free_);
    }
    /// A filled block, or null at the end.
    Block* takeFilled() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return ended_ || !filled_.empty(); });
        return filled_.empty() ? nullptr : take(filled_);
    }
    void giveFree(Block* block) {
        block->used = 0;
        block->pieces.clear();
        give(free_, block);
    }
    void giveFilled(Block* block) { give(filled_, block); }
    /// Nothing more will be filled.
    void end() { set(ended_); }
    /// Nothing more will be emptied.
    void stop() { set(stopped_); }

private:
    static Block* take(std::deque<Block*>& queue) {
        Block* block = queue.front();
        queue.pop_front();
        return block;
    }
    void give(std::deque<Block*>& queue, Block* block) {
        {
            const std::lock_guard lock(mutex_);
            queue.push_back(block);
        }
        changed_.notify_all();
    }
    void set(bool& flag) {
        {
            const std::lock_guard lock(mutex_);
            flag = true;
        }
        changed_.notify_all();
    }

    std::array<Block, blockCount> blocks_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Block*> free_, filled_;
    bool ended_ = false, stopped_ = false;
};

/// Calls `use(range, extent or null)` for every part of `range`, ascending and without gaps; null
/// for addresses of which the memory knows nothing. Stops when `use` returns false.
template <class Use>
bool forEachPart(const AddressSpace& memory, Range range, Use use) {
    for (std::uint64_t from = range.begin(); from < range.end();) {
        const Range window = Range::ofSize(from, std::min(extentWindow, range.end() - from));
        std::uint64_t position = from;
        for (const Extent& extent : memory.extents(window)) {
            const Range part = extent.range.intersect(window);
            if (part.begin() > position && !use(Range::between(position, part.begin()), nullptr))
                return false;
            if (!part.empty() && !use(part, &extent)) return false;
            position = std::max(position, part.end());
        }
        if (position < window.end() && !use(Range::between(position, window.end()), nullptr))
            return false;
        from = window.end();
    }
    return true;
}

/// The reading side.
class Reader {
public:
    Reader(const AddressSpace& memory, std::span<const Range> ranges, Exchange& exchange,
           const Progress& progress)
        : memory_(memory), ranges_(ranges), exchange_(exchange), progress_(progress) {}

    void run() {
        try {
            for (const Range& range : ranges_) {
                const bool go = forEachPart(memory_, range, [&](Range part, const Extent* extent) {
                    if (extent == nullptr || extent->absence != Absence::none)
                        return emitUnread(part);
                    return extent->zero ? emitZeros(part.size()) : emitBytes(part);
                });
                if (!go) break;
            }
            if (block_ != nullptr) exchange_.giveFilled(block_);
        } catch (const std::bad_alloc&) {
            outOfMemory_ = true;
        }
        exchange_.end();
    }
    [[nodiscard]] std::vector<Range> takeUnread() { return std::move(unread_); }
    [[nodiscard]] bool outOfMemory() const { return outOfMemory_; }

private:
    /// A block that can take at least one more byte; false when the work is to stop.
    bool needBlock() {
        if (block_ != nullptr && block_->full()) {
            exchange_.giveFilled(block_);
            block_ = nullptr;
        }
        if (progress_.cancelled()) return false;
        if (block_ == nullptr) block_ = exchange_.takeFree();
        return block_ != nullptr;
    }

    bool emitZeros(std::uint64_t size) {
        if (!needBlock()) return false;
        block_->append(size, true);
        return true;
    }

    bool emitUnread(Range range) {
        if (!unread_.empty() && unread_.back().end() == range.begin())
            unread_.back() = Range::between(unread_.back().begin(), range.end());
        else
            unread_.push_back(range);
        return emitZeros(range.size());
    }

    bool emitBytes(Range range) {
        for (std::uint64_t at = range.begin(); at < range.end();) {
            if (!needBlock()) return false;
            const auto want = static_cast<std::size_t>(
                std::min<std::uint64_t>(range.end() - at, block_->capacity - block_->used));
            std::byte* const into = block_->buffer.get() + block_->used;
            const std::size_t got = memory_.read(at, std::span(into, want)).bytes;
            keepBytes(at, into, got);
            at += got;
            if (got == want) continue;
            // One page cannot be read (a guard page, a file cut short, a target that died): the
            // pages behind it may well be readable.
            const std::uint64_t next = std::min(range.end(), alignDown(at, pageSize) + pageSize);
            if (!emitUnread(Range::between(at, next))) return false;
            at = next;
        }
        return true;
    }

    /// Divides what was read at `address` into bytes to keep and zero pages, moving bytes together.
    void keepBytes(std::uint64_t address, const std::byte* bytes, std::size_t size) {
        for (std::size_t done = 0; done < size;) {
            const std::uint64_t at = address + done;
            const auto piece = static_cast<std::size_t>(
                std::min<std::uint64_t>(size - done, alignDown(at, pageSize) + pageSize - at));
            if (piece == pageSize && allZero({bytes + done, pageSize})) {
                block_->append(pageSize, true);
            } else {
                std::byte* const into = block_->buffer.get() + block_->used;
                if (into != bytes + done) std::memmove(into, bytes + done, piece);
                block_->used += piece;
                block_->append(piece, false);
            }
            done += piece;
        }
    }

    const AddressSpace& memory_;
    std::span<const Range> ranges_;
    Exchange& exchange_;
    const Progress& progress_;
    Block* block_ = nullptr;
    std::vector<Range> unread_;
    bool outOfMemory_ = false;
};

/// The writing side: one block.
Result<void> writeBlock(const Block& block, Sink& sink, CopyResult& result, Progress& progress) {
    std::size_t position = 0;
    for (const Piece& piece : block.pieces) {
        if (piece.zero) {
            TRY(sink.zeros(piece.size));
            result.zeroBytes += piece.size;
        } else {
            const auto size = static_cast<std::size_t>(piece.size);
            TRY(sink.write(std::span(block.buffer.get() + position, size)));
            position += size;
        }
        result.bytes += piece.size;
        progress.advance(piece.size);
    }
    return {};
}

}  // namespace

StorablePlan storablePlan(const AddressSpace& memory, const SavePlan& plan) {
    StorablePlan storable;
    for (const SavePlan::Item& item : plan.memory) {
        bool joins = false;  // never across items: they may lie in different regions
        (void)forEachPart(memory, item.range, [&](Range part, const Extent* extent) {
            if (extent != nullptr && extent->absence == Absence::none) {
                if (joins)
                    storable.stored.back() =
                        Range::between(storable.stored.back().begin(), part.end());
                else
                    storable.stored.push_back(part);
                joins = true;
            } else {
                joins = false;
                const Absence why = extent != nullptr ? extent->absence : Absence::not_mapped;
                if (!storable.absent.empty() && storable.absent.back().absence == why &&
                    storable.absent.back().range.end() == part.begin())
                    storable.absent.back().range =
                        Range::between(storable.absent.back().range.begin(), part.end());
                else
                    storable.absent.push_back({part, why, false});
            }
            return true;
        });
    }
    return storable;
}

Result<CopyResult> copyMemory(const AddressSpace& memory, std::span<const Range> ranges, Sink& sink,
                              Progress& progress) {
    Exchange exchange(blockSizeFor(ranges));
    Reader reader(memory, ranges, exchange, progress);
    CopyResult result;
    Result<void> written;
    {
        const std::jthread thread([&] { reader.run(); });
        while (Block* block = exchange.takeFilled()) {
            if (written) written = writeBlock(*block, sink, result, progress);
            if (!written || progress.cancelled()) exchange.stop();
            exchange.giveFree(block);
        }
    }
    TRY(written);
    if (progress.cancelled()) return fail(Errc::cancelled, "cancelled");
    if (reader.outOfMemory()) return fail(Errc::limit, "out of memory");
    result.unread = reader.takeUnread();
    return result;
}

}  // namespace icecore
