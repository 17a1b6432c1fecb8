#include "app/download_progress.h"

#include <fmt/format.h>

#include "base/text.h"

namespace icecore::app {

DownloadProgress::DownloadProgress(Stop stop)
    : stop_(std::move(stop)), bar_(progressStyle("auto").value_or(ProgressStyle::none)) {}

void DownloadProgress::begin(std::string_view file, std::uint64_t total) {
    const std::lock_guard lock(mutex_);
    ++underWay_;
    if (underWay_ == 1)
        bar_.begin(fmt::format("fetching {}", printable(file)), total);
    else
        bar_.join(fmt::format("fetching {} files", underWay_), total);
}

void DownloadProgress::end() {
    const std::lock_guard lock(mutex_);
    if (underWay_ > 0) --underWay_;
    if (underWay_ == 0) bar_.end();
}

}  // namespace icecore::app
