// Progress of long work on standard error.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/progress.h"

namespace icecore::app {

enum class ProgressStyle : std::uint8_t { none, plain, bar };

/// "auto" (a bar on a terminal, otherwise nothing), "bar", "plain", "none"; nothing for other
/// words.
std::optional<ProgressStyle> progressStyle(std::string_view word);

/// A bar that is redrawn in place, or a line now and then. Cancelled by SignalGuard. Thread-safe.
class ProgressBar final : public Progress {
public:
    explicit ProgressBar(ProgressStyle style) : style_(style) {}
    ~ProgressBar() override { end(); }
    void begin(std::string_view phase, std::uint64_t total) override;
    /// More work joins what is under way: `total` grows by that of it, unless either is unknown.
    void join(std::string_view phase, std::uint64_t total);
    void advance(std::uint64_t amount) override;
    void end() override;
    [[nodiscard]] bool cancelled() const override;

private:
    using Clock = std::chrono::steady_clock;
    void draw(Clock::time_point now);

    ProgressStyle style_;
    std::mutex mutex_;
    std::string phase_;
    std::uint64_t total_ = 0, done_ = 0;
    bool active_ = false, drawn_ = false;
    Clock::time_point started_, lastDrawn_;
};

}  // namespace icecore::app
