// One way to get from a frame to its caller. Each kind of information is one FrameFinder in a file
// of its own; the unwinder asks them in turn and judges what they say.
#pragma once

#include <optional>
#include <string>

#include "unwind/code_map.h"
#include "unwind/unwinder.h"
#include "unwind/walk_memory.h"

namespace icecore {

/// The frame to step from.
struct WalkFrame {
    /// All that may still be of use: registers a call need not preserve are kept here, because
    /// unwind information of odd functions refers to them; the published Frame leaves them out.
    Registers registers;
    bool pcIsReturnAddress = false;
    /// Frame 0, or the one a signal interrupted: pc may be anywhere in its function, and on arm64
    /// the link register is alive.
    bool innermost = true;
    /// Bytes of arguments that this frame has pushed for the one it called: they still lie on its
    /// stack (32-bit x86).
    std::uint32_t pushedArguments = 0;

    [[nodiscard]] std::uint64_t pc() const { return registers.pc(); }
    [[nodiscard]] std::uint64_t sp() const { return registers.sp(); }
    /// An address inside the instruction being executed: what tables are asked for.
    [[nodiscard]] std::uint64_t lookupPc() const { return pcIsReturnAddress ? pc() - 1 : pc(); }
};

/// What one walk shares with the finders.
struct Walk {
    const CodeMap& code;
    WalkMemory memory;
    /// From the frame's stack pointer to the end of the stack it lies in; empty when no stack is
    /// known there. Guesses stay inside.
    Range stack;

    [[nodiscard]] std::optional<std::uint64_t> word(std::uint64_t address, Arch arch) {
        return memory.load(address, archInfo(arch).pointerSize);
    }
};

/// What a finder says.
struct Step {
    enum class Kind : std::uint8_t {
        none,        ///< this information does not cover the frame
        caller,      ///< `caller` it is
        outermost,   ///< the frame has no caller
        unreadable,  ///< the memory at `address` would be needed
    };
    Kind kind = Kind::none;
    Trust trust = Trust::context;
    bool fromSignalFrame = false;  ///< the frame is a signal trampoline: the caller's pc is exact
    /// The frame's own pc turned out not to be a return address: nobody called there.
    bool pcWasPlanted = false;
    /// A guess for which nothing speaks but where the word leads.
    bool unconfirmed = false;
    Registers caller;
    std::uint32_t arguments = 0;  ///< bytes that the caller pushed for the frame
    std::uint64_t address = 0;

    static Step outermost(bool pcWasPlanted = false) {
        Step step;
        step.kind = Kind::outermost;
        step.pcWasPlanted = pcWasPlanted;
        return step;
    }
    static Step unreadable(std::uint64_t address) {
        Step step;
        step.kind = Kind::unreadable;
        step.address = address;
        return step;
    }
};

/// Const and thread-safe.
class FrameFinder {
public:
    virtual ~FrameFinder() = default;
    FrameFinder() = default;
    FrameFinder(const FrameFinder&) = delete;
    FrameFinder& operator=(const FrameFinder&) = delete;

    [[nodiscard]] virtual Step find(const WalkFrame& frame, Walk& walk) const = 0;
};

/// A step by guess: only pc, sp and fp (when known) of the caller, besides what no call changes.
Step guessedCaller(const WalkFrame& frame, Trust trust, std::uint64_t pc, std::uint64_t sp,
                   std::optional<std::uint64_t> fp);

/// Forgets what a call may change by the system's ABI: what is left is true of the caller, too.
void keepPreserved(Registers& registers, Os os);

}  // namespace icecore
