// What MiniDumpWriteDump's callback decides, independent of the process in which it runs: questions
// and answers are plain values that may travel through a socket.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <type_traits>

#include "base/error.h"
#include "base/progress.h"
#include "model/save_plan.h"
#include "model/snapshot.h"

namespace icecore::capi {

struct CallbackQuestion {
    std::uint32_t type = 0;   ///< MINIDUMP_CALLBACK_TYPE
    std::uint32_t flags = 0;  ///< ModuleWriteFlags or ThreadWriteFlags, as they would be
    std::uint64_t processId = 0;
    // Of a thread.
    std::uint64_t threadId = 0;
    std::uint64_t stackBase = 0, stackEnd = 0;  ///< the highest address, the lowest
    std::uint32_t contextSize = 0;
    std::array<std::byte, 1232> context{};  ///< CONTEXT of AMD64
    // Of a module.
    std::uint64_t base = 0;
    std::uint32_t size = 0, checksum = 0, timestamp = 0;
    std::uint32_t codeViewSize = 0;
    std::array<std::byte, 128> codeView{};
    std::array<char16_t, 1024> path{};  ///< cut to what fits, ends with 0
};
static_assert(std::is_trivially_copyable_v<CallbackQuestion>);

struct CallbackAnswer {
    bool agreed = false;  ///< what the routine returned
    std::uint32_t flags = 0;
    std::uint64_t memoryBase = 0;
    std::uint32_t memorySize = 0;
    bool checkCancel = false, cancel = false;
};
static_assert(std::is_trivially_copyable_v<CallbackAnswer>);

/// Puts a question to the routine, wherever it is; an error ends the dump.
using Ask = std::function<Result<CallbackAnswer>(const CallbackQuestion&)>;

/// Asks about every thread, every module and more or less memory, and takes out of `snapshot` and
/// `plan` (or adds) what the answers say. `cancelled` when an answer says so.
Result<void> applyCallbacks(const Ask& ask, Snapshot& snapshot, SavePlan& plan);

/// Passes progress on, and asks every now and then whether to stop, as long as the answers want to
/// be asked again.
class CancelByCallback final : public Progress {
public:
    CancelByCallback(const Ask& ask, std::uint64_t processId, Progress& inner)
        : ask_(ask), processId_(processId), inner_(inner) {}
    void begin(std::string_view phase, std::uint64_t total) override { inner_.begin(phase, total); }
    void advance(std::uint64_t amount) override;
    void end() override { inner_.end(); }
    [[nodiscard]] bool cancelled() const override;

private:
    const Ask& ask_;
    std::uint64_t processId_;
    Progress& inner_;
    mutable std::mutex mutex_;
    std::chrono::steady_clock::time_point next_{};
    bool askAgain_ = true, cancelled_ = false;
};

}  // namespace icecore::capi
