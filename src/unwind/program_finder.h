// Callers by what symbol files say about stacks: FPO and FrameData of PDBs, Breakpad's rules.
#pragma once

#include "unwind/frame_finder.h"

namespace icecore {

/// Asks `others` first (unwind tables of images and CFI are part of the code itself, and better),
/// then the symbol files; but for ntdll's exception dispatcher, whose stack tells it all.
class ProgramFinder final : public FrameFinder {
public:
    /// Both must outlive it.
    ProgramFinder(const Symbolizer& symbolizer, const FrameFinder& others)
        : symbolizer_(symbolizer), others_(others) {}
    [[nodiscard]] Step find(const WalkFrame& frame, Walk& walk) const override;

private:
    /// Out of ntdll's KiUserExceptionDispatcher of x64 to what the exception interrupted.
    [[nodiscard]] Step dispatcher(const WalkFrame& frame, Walk& walk) const;

    const Symbolizer& symbolizer_;
    const FrameFinder& others_;
};

}  // namespace icecore
