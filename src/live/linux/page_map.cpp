#include "live/linux/page_map.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "live/linux/proc.h"

namespace icecore::live {

namespace {

// Linux, include/uapi/linux/fs.h since 6.7; distributions' headers are often older.
struct PageRegion {
    std::uint64_t start, end, categories;
};
struct ScanArguments {
    std::uint64_t size, flags, start, end, walkEnd, vec, vecLength, maxPages;
    std::uint64_t categoryInverted, categoryMask, categoryAnyOf, returnMask;
};
static_assert(sizeof(PageRegion) == 24 && sizeof(ScanArguments) == 96);
constexpr unsigned long pagemapScan = _IOWR('f', 16, ScanArguments);
constexpr std::uint64_t isPresent = 1U << 3, isSwapped = 1U << 4, isZero = 1U << 5,
                        isGuard = 1U << 8;

// Bits of a pagemap entry: Documentation/admin-guide/mm/pagemap.rst.
constexpr std::uint64_t entryPresent = 1ULL << 63, entrySwapped = 1ULL << 62,
                        entryGuard = 1ULL << 58;

void append(std::vector<PageRun>& runs, Range range, PageRun::Kind kind) {
    if (!runs.empty() && runs.back().range.end() == range.begin() && runs.back().kind == kind) {
        runs.back().range = Range::between(runs.back().range.begin(), range.end());
        return;
    }
    runs.push_back({range, kind});
}

}  // namespace

Result<PageMap> PageMap::open(pid_t process) {
    const std::string path = procPath(process, "pagemap");
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return failErrno(errno, "cannot open", path);
    PageMap map(std::move(file));
    map.probe();
    return map;
}

void PageMap::probe() {
    std::vector<PageRun> runs;
    std::uint64_t at = 0;
    knowsGuards_ = ioctl_ = true;
    if (step(at, pageSize(), 1, runs)) return;
    knowsGuards_ = false;  // Linux 6.16
    at = 0;
    ioctl_ = step(at, pageSize(), 1, runs);
}

bool PageMap::step(std::uint64_t& at, std::uint64_t end, std::uint64_t maxPages,
                   std::vector<PageRun>& runs) const {
    std::array<PageRegion, 512> regions;
    ScanArguments arguments{};
    arguments.size = sizeof arguments;
    arguments.start = at;
    arguments.end = end;
    arguments.vec = reinterpret_cast<std::uint64_t>(regions.data());
    arguments.vecLength = regions.size();
    arguments.maxPages = maxPages;
    arguments.categoryAnyOf = isPresent | isSwapped | (knowsGuards_ ? isGuard : 0);
    arguments.returnMask = arguments.categoryAnyOf | isZero;
    int count = 0;
    do
        count = ::ioctl(file_.get(), pagemapScan, &arguments);
    while (count < 0 && errno == EINTR);
    if (count < 0) return false;
    for (const PageRegion& region : std::span(regions).first(static_cast<std::size_t>(count))) {
        const auto kind = (region.categories & isGuard) != 0  ? PageRun::Kind::guard
                          : (region.categories & isZero) != 0 ? PageRun::Kind::zero
                                                              : PageRun::Kind::data;
        append(runs, Range::between(region.start, region.end), kind);
    }
    // At the end of its vector the kernel tells where the next page of interest begins; always
    // forward, or the loop of the caller would not end.
    at = std::max(arguments.walkEnd, at + pageSize());
    return true;
}

bool PageMap::scanByIoctl(Range within, std::vector<PageRun>& runs) const {
    for (std::uint64_t at = within.begin(); at < within.end();) {
        if (!step(at, within.end(), 0, runs)) return false;
    }
    return true;
}

bool PageMap::scanByReading(Range within, std::vector<PageRun>& runs) const {
    std::vector<std::uint64_t> entries(16384);
    for (std::uint64_t at = within.begin(); at < within.end();) {
        const std::uint64_t pages =
            std::min<std::uint64_t>(entries.size(), (within.end() - at) / pageSize());
        const ssize_t got =
            ::pread(file_.get(), entries.data(), static_cast<std::size_t>(pages * 8),
                    static_cast<off_t>(at / pageSize() * 8));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        for (std::size_t i = 0; i < static_cast<std::size_t>(got) / 8; ++i, at += pageSize()) {
            const std::uint64_t entry = entries[i];
            if ((entry & (entryPresent | entrySwapped | entryGuard)) == 0) continue;
            append(runs, Range::ofSize(at, pageSize()),
                   (entry & entryGuard) != 0 ? PageRun::Kind::guard : PageRun::Kind::data);
        }
    }
    return true;
}

bool PageMap::alive(std::uint64_t address) const {
    std::uint64_t entry = 0;
    ssize_t got = 0;
    do
        got = ::pread(file_.get(), &entry, sizeof entry,
                      static_cast<off_t>(address / pageSize() * sizeof entry));
    while (got < 0 && errno == EINTR);
    return got == sizeof entry;
}

bool PageMap::scan(Range within, std::vector<PageRun>& runs) const {
    const Range pages =
        Range::between(alignDown(within.begin(), pageSize()), alignUp(within.end(), pageSize()));
    if (!ioctl_) return scanByReading(pages, runs);
    // The ioctl finds nothing in the memory of a process that has ended, which looks exactly like
    // pages never touched. Reading an entry fails then; where it works after the scan, the scan
    // was of a living process.
    return scanByIoctl(pages, runs) && alive(pages.begin());
}

void PageMap::forEachPopulated(Range within,
                               const std::function<std::uint64_t(Range populated)>& visit) const {
    constexpr std::uint64_t bite = 512;  // pages: few enough to be skipped cheaply
    std::vector<PageRun> runs;
    for (std::uint64_t at = within.begin(); at < within.end();) {
        runs.clear();
        if (ioctl_) {
            if (!step(at, within.end(), bite, runs)) return;
        } else {
            const std::uint64_t end = std::min(within.end(), at + bite * pageSize());
            if (!scanByReading(Range::between(at, end), runs)) return;
            at = end;
        }
        for (const PageRun& run : runs) {
            if (run.kind == PageRun::Kind::guard) continue;
            at = std::max(at, visit(run.range));
        }
    }
}

}  // namespace icecore::live
