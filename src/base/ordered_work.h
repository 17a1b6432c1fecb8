// Work on many pieces at once whose results are wanted in order: compressing while writing.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <vector>

#include "base/error.h"

namespace icecore {

/// Calls `work(index, worker)` for 0 … count-1 on `threads` threads (0: as many as the machine has)
/// and `use(result)` in order on the calling thread. At most two results more than there are
/// threads wait at any time, whatever `count` is. Ends at the first error of either. `worker` is
/// below workerCount(threads): what a worker keeps between its pieces is found by it.
inline unsigned workerCount(int threads) {
    const unsigned wanted = threads > 0 ? static_cast<unsigned>(threads)
                                        : std::max(1U, std::thread::hardware_concurrency());
    return std::min(wanted, 32U);
}

template <class T, class Work, class Use>
Result<void> inOrder(std::uint64_t count, int threads, const Work& work, const Use& use) {
    const unsigned workers = workerCount(threads);
    const std::uint64_t ahead = workers + 2U;
    std::mutex mutex;
    // Each is told after the lock was left, and only of what it waits for: the pieces are many.
    std::condition_variable room, ready;
    std::map<std::uint64_t, Result<T>> results;
    std::uint64_t next = 0, used = 0;
    bool stop = false;
    const auto run = [&](unsigned worker) {
        for (;;) {
            std::uint64_t index = 0;
            {
                std::unique_lock lock(mutex);
                room.wait(lock, [&] { return stop || next >= count || next < used + ahead; });
                if (stop || next >= count) return;
                index = next++;
            }
            std::optional<Result<T>> result;
            try {
                result.emplace(work(index, worker));
            } catch (const std::bad_alloc&) {
                result.emplace(fail(Errc::limit, "out of memory"));
            }
            bool isNext = false;
            {
                const std::lock_guard lock(mutex);
                results.emplace(index, std::move(*result));
                isNext = index == used;
            }
            if (isNext) ready.notify_one();
        }
    };
    Result<void> outcome;
    {
        std::vector<std::jthread> pool;
        pool.reserve(workers);
        for (unsigned worker = 0; worker < workers; ++worker)
            pool.emplace_back(run, worker);
        while (outcome && used < count) {
            std::unique_lock lock(mutex);
            ready.wait(lock, [&] { return results.contains(used); });
            auto taken = results.extract(used);
            lock.unlock();
            if (taken.mapped())
                outcome = use(std::move(*taken.mapped()));
            else
                outcome = std::unexpected(std::move(taken.mapped()).error());
            lock.lock();
            ++used;
            const bool last = !outcome || next >= count;
            stop = !outcome;
            lock.unlock();
            if (last)
                room.notify_all();
            else
                room.notify_one();
        }
    }
    return outcome;
}

}  // namespace icecore
