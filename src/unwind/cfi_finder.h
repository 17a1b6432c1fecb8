// Callers by DWARF call frame information.
#pragma once

#include "unwind/cfi_rules.h"
#include "unwind/frame_finder.h"

namespace icecore {

class CfiFinder final : public FrameFinder {
public:
    /// `rules` must outlive it.
    explicit CfiFinder(const CfiRules& rules) : rules_(rules) {}
    [[nodiscard]] Step find(const WalkFrame& frame, Walk& walk) const override;

private:
    const CfiRules& rules_;
};

/// The caller by one row: what the rules say, registers without a rule unchanged.
Step applyRow(const UnwindRow& row, const WalkFrame& frame, WalkMemory& memory);

}  // namespace icecore
