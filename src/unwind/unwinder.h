// From registers and memory to the frames of a stack.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "arch/registers.h"
#include "model/process.h"
#include "symbols/symbolizer.h"

namespace icecore {

/// How a frame was found; from certain to guessed.
enum class Trust : std::uint8_t {
    context,        ///< the thread's own registers
    unwind_info,    ///< PE tables (.pdata)
    cfi,            ///< DWARF call frame information
    shadow_stack,   ///< the return address that the processor keeps apart (CET)
    frame_pointer,  ///< chain of frame pointers
    scan,           ///< a return address found by looking through the stack
    inlined,        ///< not a frame of its own: stands in the physical frame below it
};
/// "context", "unwind-info", "cfi", "shadow-stack", "frame-pointer", "scan", "inline": the JSON
/// schema's words, but for the shadow stack, which has a field of its own there.
std::string_view toString(Trust trust);

/// A physical frame.
struct Frame {
    std::uint64_t pc = 0;  ///< of the frame's next instruction: a return address but for frame 0,
                           ///< and for the frame a signal interrupted
    std::uint64_t sp = 0;  ///< on entry to the unwinding step (the child's CFA is the parent's sp)
    bool pcIsReturnAddress = false;
    bool signalFrame = false;  ///< the kernel's signal trampoline
    Trust trust = Trust::context;
    Registers registers;  ///< as far as they can be recovered
};

/// Why a stack ends where it does.
enum class StackEnd : std::uint8_t {
    complete,    ///< the outermost frame says so (CFI: undefined return address, zero pc…)
    unreadable,  ///< memory it needs is not in the dump
    no_rule,     ///< nothing leads further
    limit,       ///< cut at the asked-for number of frames
    loop,        ///< it would have gone in circles
};
std::string_view toString(StackEnd end);

struct Stack {
    std::vector<Frame> frames;
    StackEnd end = StackEnd::complete;
    std::string note;  ///< for a person, when it did not end by itself
};

struct UnwindOptions {
    std::size_t maxFrames = 1024;
    bool scan = true;  ///< allow guessed frames
};

/// Thread-safe: stacks of one process may be walked in parallel; rules are cached.
class Unwinder {
public:
    /// Both must outlive it.
    Unwinder(const Process& process, const Symbolizer& symbolizer);
    ~Unwinder();
    Unwinder(const Unwinder&) = delete;
    Unwinder& operator=(const Unwinder&) = delete;

    /// Shadow stack pointers of threads by their ids (x64 with CET): where no table leads on, the
    /// return address is what the processor kept there. Before the first walk.
    void useShadowStacks(std::map<std::uint64_t, std::uint64_t> pointers);

    /// From a thread's context; empty when it has none.
    [[nodiscard]] Stack unwind(const Thread& thread, const UnwindOptions& options = {}) const;
    /// From registers that the thread had earlier: those of its exception.
    [[nodiscard]] Stack unwindFrom(const Thread& thread, const Registers& earlier,
                                   const UnwindOptions& options = {}) const;
    /// From any registers (`.cxr`, a signal frame).
    [[nodiscard]] Stack unwind(const Registers& registers, const UnwindOptions& options = {}) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace icecore
