// Callers by Windows' unwind information.
#pragma once

#include "unwind/frame_finder.h"
#include "unwind/pe_tables.h"

namespace icecore {

/// Asks the tables of PE images first, where the process has any, and `others` for code that they
/// do not speak of.
class PeFinder final : public FrameFinder {
public:
    /// Both must outlive it.
    PeFinder(const PeTables& tables, const FrameFinder& others)
        : tables_(tables), others_(others) {}
    [[nodiscard]] Step find(const WalkFrame& frame, Walk& walk) const override;

private:
    const PeTables& tables_;
    const FrameFinder& others_;
};

/// The caller on x64, or Kind::none when no table speaks of the frame's code.
Step peStepX64(const PeTables& tables, const WalkFrame& frame, Walk& walk);

/// The same on ARM64.
Step peStepArm64(const PeTables& tables, const WalkFrame& frame, Walk& walk);

/// Whether the code at `frame`'s pc is the end of its function, from where only the stack is freed,
/// registers are popped and the function is left; then the caller is what running it comes to.
std::optional<Step> peEpilogueX64(const PeTables& tables, const PeFunction& function,
                                  const WalkFrame& frame, Walk& walk);

}  // namespace icecore
