#include "app/hashing_sink.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/text.h"
#include "bytes/past_cache.h"

namespace icecore::app {

namespace {

constexpr HashKind firstKind = HashKind::sha256, secondKind = HashKind::blake2b;

}  // namespace

/// The thread of the second hash: takes one task after another.
struct StreamHashes::Helper {
    explicit Helper(Hasher& hasher) : thread([this, &hasher] { run(hasher); }) {}
    ~Helper() {
        {
            const std::lock_guard lock(mutex);
            ended = true;
        }
        changed.notify_all();
    }
    Helper(const Helper&) = delete;
    Helper& operator=(const Helper&) = delete;

    void begin(const Task& given) {
        {
            const std::lock_guard lock(mutex);
            task = given;
            busy = true;
        }
        changed.notify_all();
    }
    void wait() {
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return !busy; });
    }
    void run(Hasher& hasher) {
        std::unique_lock lock(mutex);
        for (;;) {
            changed.wait(lock, [this] { return busy || ended; });
            if (!busy) return;
            const Task mine = task;
            lock.unlock();
            hasher.update(mine.bytes);
            hasher.zeros(mine.zeros);
            lock.lock();
            busy = false;
            changed.notify_all();
        }
    }

    std::mutex mutex;
    std::condition_variable changed;
    Task task;
    bool busy = false, ended = false;
    std::jthread thread;  // last: it uses all of the above
};

StreamHashes::StreamHashes() : first_(firstKind), second_(secondKind) {}
StreamHashes::~StreamHashes() = default;

void StreamHashes::take(const Task& task) {
    // Waking a thread takes longer than hashing a few pages.
    constexpr std::uint64_t worthWaking = std::uint64_t{16} << 10;
    const bool both = task.bytes.size() + task.zeros >= worthWaking;
    if (both) {
        if (!helper_) helper_ = std::make_unique<Helper>(second_);
        helper_->begin(task);
    }
    first_.update(task.bytes);
    first_.zeros(task.zeros);
    if (both) {
        helper_->wait();
    } else {
        second_.update(task.bytes);
        second_.zeros(task.zeros);
    }
}

void StreamHashes::update(std::span<const std::byte> bytes) {
    take({bytes, 0});
}

void StreamHashes::zeros(std::uint64_t count) {
    take({{}, count});
}

std::vector<std::pair<std::string, std::string>> StreamHashes::finish() {
    std::vector<std::pair<std::string, std::string>> values;
    values.emplace_back(toString(firstKind), hexBytes(first_.finish()));
    values.emplace_back(toString(secondKind), hexBytes(second_.finish()));
    return values;
}

HashingSink::HashingSink(std::unique_ptr<Sink> inner) : inner_(std::move(inner)) {}

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
                                                                  std::uint64_t size) {
    StreamHashes hashes;
    TRY(readPastCache(path, size, [&](std::span<const std::byte> bytes) { hashes.update(bytes); }));
    return hashes.finish();
}

}  // namespace icecore::app
