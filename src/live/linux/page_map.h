// What the page tables of a process say, without touching a page.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "base/error.h"
#include "base/range.h"
#include "bytes/descriptor_posix.h"

namespace icecore::live {

/// A run of pages that the page tables know of. Pages in no run are absent: never touched, or (of
/// a file) not mapped in yet.
struct PageRun {
    enum class Kind : std::uint8_t {
        data,   ///< in memory or swapped out
        zero,   ///< the shared page of zeros
        guard,  ///< MADV_GUARD_INSTALL: touching it is a fault
    };
    Range range;
    Kind kind = Kind::data;
};

/// /proc/PID/pagemap: through the PAGEMAP_SCAN ioctl (Linux 6.7), or read entry by entry before.
/// Thread-safe.
class PageMap {
public:
    static Result<PageMap> open(pid_t process);

    /// Appends the runs inside `within`, ascending; `within` is widened to whole pages. False when
    /// the process is gone.
    bool scan(Range within, std::vector<PageRun>& runs) const;
    /// Calls `visit` with some populated range inside `within` until it returns the address to go
    /// on from (beyond the range's begin) or nothing is left: to look at few pages of many.
    void forEachPopulated(Range within,
                          const std::function<std::uint64_t(Range populated)>& visit) const;

private:
    explicit PageMap(Descriptor file) : file_(std::move(file)) {}
    bool scanByIoctl(Range within, std::vector<PageRun>& runs) const;
    bool scanByReading(Range within, std::vector<PageRun>& runs) const;
    /// One ioctl: runs from `at` on; `at` becomes where it stopped. False: not supported or gone.
    bool step(std::uint64_t& at, std::uint64_t end, std::uint64_t maxPages,
              std::vector<PageRun>& runs) const;
    void probe();
    [[nodiscard]] bool alive(std::uint64_t address) const;

    Descriptor file_;
    bool ioctl_ = false;        ///< PAGEMAP_SCAN works
    bool knowsGuards_ = false;  ///< and tells guard pages
};

}  // namespace icecore::live
