// Progress of symbol files that come from servers, on standard error.
#pragma once

#include <functional>
#include <mutex>

#include "app/progress_bar.h"

namespace icecore::app {

/// One line for however many files are under way, drawn only on a terminal and gone when the last
/// has come: each transfer begins, advances and ends by itself, as httpGet has it. Thread-safe.
class DownloadProgress final : public Progress {
public:
    using Stop = std::function<bool()>;
    /// `stop`: whether the person waits no longer; may be called from any thread.
    explicit DownloadProgress(Stop stop);
    void begin(std::string_view file, std::uint64_t total) override;
    void advance(std::uint64_t amount) override { bar_.advance(amount); }
    void end() override;
    [[nodiscard]] bool cancelled() const override { return stop_(); }

private:
    Stop stop_;
    std::mutex mutex_;
    std::size_t underWay_ = 0;
    ProgressBar bar_;
};

}  // namespace icecore::app
