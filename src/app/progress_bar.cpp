#include "app/progress_bar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "app/terminal.h"
#include "base/text.h"

namespace icecore::app {

namespace {

using namespace std::chrono_literals;

/// Between two drawings: short enough to look alive, long enough to cost nothing.
constexpr auto barPause = 100ms;
constexpr auto plainPause = 2s;
constexpr std::size_t barWidth = 30;

/// ", 1:05 left"; nothing while there is no telling.
std::string timeLeft(std::uint64_t done, std::uint64_t total, double seconds) {
    constexpr double soonest = 0.5;      // before that a guess is worth nothing
    constexpr double longest = 360'000;  // a hundred hours
    if (done == 0 || done >= total || seconds < soonest) return {};
    const double left = seconds * static_cast<double>(total - done) / static_cast<double>(done);
    if (left > longest) return {};
    const auto whole = static_cast<std::uint64_t>(std::llround(left));
    if (whole < 3600) return fmt::format(", {}:{:02} left", whole / 60, whole % 60);
    return fmt::format(", {}:{:02}:{:02} left", whole / 3600, whole / 60 % 60, whole % 60);
}

}  // namespace

std::optional<ProgressStyle> progressStyle(std::string_view word) {
    if (word == "auto") return standardErrorIsTerminal() ? ProgressStyle::bar : ProgressStyle::none;
    if (word == "bar") return ProgressStyle::bar;
    if (word == "plain") return ProgressStyle::plain;
    if (word == "none") return ProgressStyle::none;
    return std::nullopt;
}

void ProgressBar::begin(std::string_view phase, std::uint64_t total) {
    end();
    const std::lock_guard lock(mutex_);
    phase_ = phase;
    total_ = total;
    done_ = 0;
    active_ = true;
    drawn_ = false;
    started_ = lastDrawn_ = Clock::now();
}

void ProgressBar::join(std::string_view phase, std::uint64_t total) {
    const std::lock_guard lock(mutex_);
    phase_ = phase;
    total_ = total_ == 0 || total == 0 ? 0 : total_ + total;
}

void ProgressBar::advance(std::uint64_t amount) {
    const std::lock_guard lock(mutex_);
    done_ += amount;
    if (style_ == ProgressStyle::none || !active_) return;
    const auto now = Clock::now();
    if (now - lastDrawn_ >= (style_ == ProgressStyle::bar ? barPause : plainPause)) draw(now);
}

void ProgressBar::end() {
    const std::lock_guard lock(mutex_);
    // Work that was over before anything was shown needs no picture of its end.
    if (active_ && drawn_) {
        draw(Clock::now());
        if (style_ == ProgressStyle::bar) fmt::print(stderr, "\r\x1b[K");
        std::fflush(stderr);
    }
    active_ = false;
}

void ProgressBar::draw(Clock::time_point now) {
    const double seconds = std::chrono::duration<double>(now - started_).count();
    const auto rate =
        static_cast<std::uint64_t>(seconds > 0 ? static_cast<double>(done_) / seconds : 0.0);
    std::string text = humanBytes(done_);
    std::string bar;
    if (total_ > 0) {
        const double part = std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
        const auto full = static_cast<std::size_t>(part * static_cast<double>(barWidth));
        bar = fmt::format("[{:<{}}] ", std::string(full, '#'), barWidth);
        text = fmt::format("{:3.0f} % of {}", part * 100, humanBytes(total_));
    }
    const std::string left = timeLeft(done_, total_, seconds);
    if (style_ == ProgressStyle::bar)
        fmt::print(stderr, "\r\x1b[K{} {}{}, {}/s{}", phase_, bar, text, humanBytes(rate), left);
    else
        fmt::print(stderr, "icecore: {}: {}, {}/s{}\n", phase_, text, humanBytes(rate), left);
    std::fflush(stderr);
    drawn_ = true;
    lastDrawn_ = now;
}

bool ProgressBar::cancelled() const {
    return SignalGuard::stopRequested();
}

}  // namespace icecore::app
