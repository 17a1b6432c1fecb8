// Work in order on a thread of its own, one piece behind who gives it: writing while the next piece
// is made.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>

#include "base/error.h"

namespace icecore {

/// Calls `use` with each value that is given, in order. At most two values are held: the one that
/// is used and the one that waits. The first error stays, and nothing is used after it.
template <class T>
class OneBehind {
public:
    explicit OneBehind(std::function<Result<void>(T)> use) : use_(std::move(use)) {}
    /// Waits for what has been given.
    ~OneBehind() {
        {
            const std::lock_guard lock(mutex_);
            ended_ = true;
        }
        changed_.notify_all();
    }
    OneBehind(const OneBehind&) = delete;
    OneBehind& operator=(const OneBehind&) = delete;

    /// Waits until no other value waits. The first error of those before, if any.
    Result<void> give(T value) {
        std::unique_lock lock(mutex_);
        if (!thread_.joinable()) thread_ = std::jthread([this] { run(); });
        changed_.wait(lock, [this] { return error_ || !waiting_; });
        if (error_) return std::unexpected(*error_);
        waiting_ = std::move(value);
        changed_.notify_all();
        return {};
    }
    /// Until everything given has been used.
    Result<void> drain() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return error_ || (!waiting_ && !busy_); });
        if (error_) return std::unexpected(*error_);
        return {};
    }

private:
    void run() {
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [this] { return ended_ || waiting_; });
            if (!waiting_) return;
            T value = *std::exchange(waiting_, std::nullopt);
            busy_ = true;
            const bool skip = error_.has_value();
            changed_.notify_all();
            lock.unlock();
            auto used = use(std::move(value), skip);
            lock.lock();
            busy_ = false;
            if (!used && !error_) error_ = std::move(used).error();
            changed_.notify_all();
        }
    }

    /// The value ends here, outside the lock.
    Result<void> use(T value, bool skip) const {
        try {
            return skip ? Result<void>() : use_(std::move(value));
        } catch (const std::bad_alloc&) {
            return fail(Errc::limit, "out of memory");
        }
    }

    std::function<Result<void>(T)> use_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<T> waiting_;
    std::optional<Error> error_;
    bool busy_ = false, ended_ = false;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace icecore
