// How long work reports what it has done, and learns that it should stop.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace icecore {

/// Receives the progress of long work. Calls may come from any thread. Libraries never print:
/// the app decides what becomes of it.
class Progress {
public:
    virtual ~Progress() = default;
    /// A phase begins; `total` in bytes or items, 0 when unknown.
    virtual void begin(std::string_view phase, std::uint64_t total) = 0;
    /// `amount` more has been done.
    virtual void advance(std::uint64_t amount) = 0;
    virtual void end() = 0;
    /// True once the work should stop as soon as it can (SIGINT, closed window).
    [[nodiscard]] virtual bool cancelled() const = 0;
};

/// Reports nothing; cancelled when asked through `cancel`.
class SilentProgress final : public Progress {
public:
    void begin(std::string_view, std::uint64_t) override {}
    void advance(std::uint64_t) override {}
    void end() override {}
    [[nodiscard]] bool cancelled() const override { return cancelled_.load(); }
    void cancel() { cancelled_.store(true); }

private:
    std::atomic<bool> cancelled_{false};
};

}  // namespace icecore
