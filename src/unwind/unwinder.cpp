#include "unwind/unwinder.h"

#include <array>

#include "base/text.h"
#include "unwind/cfi_finder.h"
#include "unwind/frame_pointer_finder.h"
#include "unwind/lost_pc_finder.h"
#include "unwind/pe_finder.h"
#include "unwind/program_finder.h"
#include "unwind/prologue_finder.h"
#include "unwind/scan_finder.h"
#include "unwind/signal_frame_finder.h"
#include "unwind/stack_bounds.h"
#include "unwind/unseen_code_finder.h"
#include "unwind/walk_progress.h"

namespace icecore {

std::string_view toString(Trust trust) {
    switch (trust) {
    case Trust::context: return "context";
    case Trust::unwind_info: return "unwind-info";
    case Trust::cfi: return "cfi";
    case Trust::shadow_stack: return "shadow-stack";
    case Trust::frame_pointer: return "frame-pointer";
    case Trust::scan: return "scan";
    case Trust::inlined: return "inline";
    }
    return "unknown";
}

std::string_view toString(StackEnd end) {
    switch (end) {
    case StackEnd::complete: return "complete";
    case StackEnd::unreadable: return "unreadable";
    case StackEnd::no_rule: return "no rule";
    case StackEnd::limit: return "limit";
    case StackEnd::loop: return "loop";
    }
    return "unknown";
}

struct Unwinder::State {
    State(const Process& p, const Symbolizer& symbolizer)
        : process(p),
          code(p, symbolizer),
          rules(p, symbolizer),
          peTables(p, symbolizer),
          cfi(rules),
          pe(peTables, cfi),
          programs(symbolizer, pe) {}

    [[nodiscard]] Stack walk(const Registers& start, std::optional<Range> stackHint,
                             const UnwindOptions& options,
                             std::optional<std::uint64_t> shadowStack = std::nullopt) const;

    const Process& process;
    std::map<std::uint64_t, std::uint64_t> shadowStacks;
    CodeMap code;
    CfiRules rules;
    PeTables peTables;

    CfiFinder cfi;
    PeFinder pe;
    ProgramFinder programs;
    SignalFrameFinder signalFrame;
    LostPcFinder lostPc;
    PrologueFinder prologue;
    FramePointerFinder sureFramePointer{CodeMap::Leads::surely};
    FramePointerFinder hiddenFramePointer{CodeMap::Leads::no, true};
    FramePointerFinder framePointer{CodeMap::Leads::perhaps};
    FramePointerFinder anyFramePointer{CodeMap::Leads::no};
    ScanFinder sureScan{true}, scan{false};
};

namespace {

/// One walk over one stack.
class Walker {
public:
    using Finders = std::span<const FrameFinder* const>;

    Walker(const Process& process, const CodeMap& code, const CfiRules& rules,
           const UnwindOptions& options, std::optional<Range> stackHint, const Registers& start,
           std::optional<std::uint64_t> shadowStack)
        : process_(process),
          rules_(rules),
          options_(options),
          hint_(stackHint),
          shadow_(shadowStack),
          walk_{code, WalkMemory(*process.memory, code.memory()), {}},
          frame_{start, false, true, 0},
          progress_(start.sp()) {}

    /// `exact` are asked first; what they say is believed as far as it is code. `guesses` follow.
    Stack run(const FrameFinder& exact, const FrameFinder& signalFrame, Finders guesses);

private:
    Step next(const FrameFinder& exact, const FrameFinder& signalFrame, Finders guesses);
    Step guess(const WalkFrame& from, Finders guesses);
    Step byShadowStack(const WalkFrame& from);
    bool takes(Step& step);
    void publish();
    void refineGuessedStackPointer(Step& step) const;
    [[nodiscard]] bool isEntryPoint() const;
    [[nodiscard]] bool leavesStack(const Step& step) const;
    void warn(std::string_view text) {
        if (!stack_.note.empty()) stack_.note += "; ";
        stack_.note += text;
    }
    void end(StackEnd why, std::string_view note) {
        stack_.end = why;
        warn(note);
    }
    [[nodiscard]] std::string frameNumber() const {
        return "frame " + std::to_string(stack_.frames.size() - 1);
    }

    const Process& process_;
    const CfiRules& rules_;
    const UnwindOptions& options_;
    std::optional<Range> hint_;
    /// Where the return address of the current frame is kept a second time.
    std::optional<std::uint64_t> shadow_;
    /// Each guess may be an old return address, and the next begins where it ends.
    static constexpr unsigned mostUnconfirmed = 12;
    unsigned unconfirmed_ = 0;  ///< in a row
    Walk walk_;
    WalkFrame frame_;
    Trust trust_ = Trust::context;
    WalkProgress progress_;
    Stack stack_;
    UnseenCodeFinder unseenCode_{options_.scan};
};

void Walker::publish() {
    Frame& frame = stack_.frames.emplace_back();
    frame.pc = frame_.pc();
    frame.sp = frame_.sp();
    frame.pcIsReturnAddress = frame_.pcIsReturnAddress;
    frame.trust = trust_;
    frame.registers = frame_.registers;
    if (frame_.pcIsReturnAddress) keepPreserved(frame.registers, process_.system.os);
}

/// Whether the step goes to another stack than the frame's: out of its memory region.
bool Walker::leavesStack(const Step& step) const {
    const std::uint64_t to = step.caller.sp();
    if (to > frame_.sp() && walk_.stack.contains(to)) return false;
    if (step.fromSignalFrame) return true;
    const Region* from = process_.regionAt(frame_.sp());
    const Region* into = process_.regionAt(to);
    return from != nullptr && into != nullptr && from != into && to < frame_.sp();
}

/// On arm64 a frame record lies at the bottom of its frame, so a guess knows where the callee's
/// record ends, and not where the callee's frame does. The caller's own record tells: its unwind
/// rules say where in the frame the record is.
void Walker::refineGuessedStackPointer(Step& step) const {
    const ArchInfo& info = archInfo(step.caller.arch());
    if (!info.lr || step.trust < Trust::frame_pointer || !step.caller.has(info.fp)) return;
    UnwindRow scratch;
    const UnwindRow* row = rules_.at(step.caller.pc() - 1, scratch);
    if (row == nullptr || row->cfa.kind != CfaRule::Kind::register_offset ||
        row->cfa.reg != info.sp)
        return;
    const RegisterRule* saved = row->rule(info.fp);
    if (saved == nullptr || saved->kind != RuleKind::offset) return;
    const std::uint64_t cfa =
        step.caller.fp() - static_cast<std::uint64_t>(static_cast<std::int64_t>(saved->value));
    const std::uint64_t sp = cfa - static_cast<std::uint64_t>(row->cfa.value);
    if (sp >= step.caller.sp() && walk_.stack.contains(sp)) step.caller.set(info.sp, sp);
}

/// The program's entry point has no caller; hand-written ones do not always say so.
bool Walker::isEntryPoint() const {
    const auto entry = process_.auxvValue(9);  // AT_ENTRY
    return entry && frame_.pc() >= *entry && frame_.pc() - *entry < 64;
}

/// The return address that the shadow stack has, and where it lies on the stack itself. Registers
/// of an exception are older than the pointer: what was called since then is passed over.
Step Walker::byShadowStack(const WalkFrame& from) {
    constexpr std::uint64_t longestFrame = 1024, mostNewer = 64;  // words
    const Arch arch = from.registers.arch();
    const std::uint64_t size = archInfo(arch).pointerSize;
    const Range words =
        Range::ofSize(alignUp(from.sp(), size), longestFrame * size).intersect(walk_.stack);
    const auto fp = from.registers.get(archInfo(arch).fp);
    for (std::uint64_t i = 0; shadow_ && i < (from.innermost ? mostNewer : 1); ++i) {
        const auto pc = walk_.word(*shadow_ + i * size, arch);
        if (!pc || process_.moduleAt(*pc) == nullptr ||
            walk_.code.executable(*pc) == CodeMap::Executable::no)
            return {};
        for (std::uint64_t at = words.begin(); at < words.end() && words.end() - at >= size;
             at += size) {
            const auto word = walk_.word(at, arch);
            if (!word) break;
            if (*word != *pc) continue;
            shadow_ = *shadow_ + i * size;
            const bool keeps = fp && *fp > at && walk_.stack.contains(*fp);
            return guessedCaller(from, Trust::shadow_stack, *pc, at + size,
                                 keeps ? fp : std::nullopt);
        }
    }
    return {};
}

Step Walker::guess(const WalkFrame& from, Finders guesses) {
    if (Step step = byShadowStack(from); step.kind == Step::Kind::caller) return step;
    Step unreadable;
    for (const FrameFinder* finder : guesses) {
        Step step = finder->find(from, walk_);
        if (step.kind == Step::Kind::unreadable)
            unreadable = step;
        else if (step.kind != Step::Kind::none)
            return step;
    }
    // Last of all, where nobody has the code.
    return unreadable.kind == Step::Kind::none ? unseenCode_.find(from, walk_) : unreadable;
}

Step Walker::next(const FrameFinder& exact, const FrameFinder& signalFrame, Finders guesses) {
    Step step = exact.find(frame_, walk_);
    // The kernel's own frame on the stack knows more than the trampoline's CFI, see there.
    if (step.fromSignalFrame || step.kind == Step::Kind::none) {
        if (Step kernel = signalFrame.find(frame_, walk_); kernel.kind == Step::Kind::caller) {
            if (step.kind == Step::Kind::caller) kernel.trust = step.trust;
            return kernel;
        }
    }
    switch (step.kind) {
    case Step::Kind::caller: {
        if (step.caller.pc() == 0) return Step::outermost();
        if (walk_.code.executable(step.caller.pc()) != CodeMap::Executable::no ||
            step.fromSignalFrame)
            return step;
        // Overwritten. Frames above may still be whole.
        warn("the return address of " + frameNumber() + ", " + hex(step.caller.pc()) +
             ", is not code: the stack may be overwritten");
        // Look on from where the frame ends, if that is known.
        const bool ended = walk_.stack.contains(step.caller.sp());
        return guess(ended ? WalkFrame{step.caller, true, false, 0} : frame_, guesses);
    }
    case Step::Kind::unreadable: {
        // Missing from the dump is one thing; a wild pointer that was never mapped another.
        if (walk_.memory.whyNot(step.address) != Absence::not_mapped ||
            (process_.regions.empty() || process_.regionAt(step.address) != nullptr))
            return step;
        warn("unwinding " + frameNumber() + " needs " + hex(step.address) +
             ", which is not mapped: the stack may be overwritten");
        return guess(frame_, guesses);
    }
    case Step::Kind::outermost: return step;
    case Step::Kind::none: break;
    }
    if (isEntryPoint()) return Step::outermost();
    return guess(frame_, guesses);
}

/// Makes the step the frame to go on from; false when it leads nowhere new.
bool Walker::takes(Step& step) {
    refineGuessedStackPointer(step);
    if (!progress_.accept(frame_, step, leavesStack(step))) return false;
    Frame& published = stack_.frames.back();
    if (step.fromSignalFrame) {
        published.signalFrame = true;
        published.pcIsReturnAddress = false;
    }
    if (shadow_) {
        const std::uint64_t size = archInfo(step.caller.arch()).pointerSize;
        // Behind an exception, or where frames were left out, it says nothing of the frames to
        // come.
        const bool agrees =
            !step.fromSignalFrame && walk_.word(*shadow_, step.caller.arch()) == step.caller.pc();
        shadow_ = agrees ? std::optional(*shadow_ + size) : std::nullopt;
    }
    frame_.registers = step.caller;
    frame_.pcIsReturnAddress = !step.fromSignalFrame;
    frame_.innermost = step.fromSignalFrame;
    frame_.pushedArguments = step.arguments;
    trust_ = step.trust;
    return true;
}

Stack Walker::run(const FrameFinder& exact, const FrameFinder& signalFrame, Finders guesses) {
    stack_.frames.reserve(32);
    while (true) {
        publish();
        walk_.stack = walk_.stack.contains(frame_.sp())
                          ? Range::between(frame_.sp(), walk_.stack.end())
                          : stackFrom(process_, frame_.sp(), hint_);
        Step step = next(exact, signalFrame, guesses);
        switch (step.kind) {
        case Step::Kind::outermost:
            stack_.end = StackEnd::complete;
            if (step.pcWasPlanted) stack_.frames.back().pcIsReturnAddress = false;
            return std::move(stack_);
        case Step::Kind::unreadable:
            end(StackEnd::unreadable, "the memory at " + hex(step.address) + " is " +
                                          std::string(toString(walk_.memory.whyNot(step.address))));
            return std::move(stack_);
        case Step::Kind::none:
            end(StackEnd::no_rule, "nothing leads on from " + frameNumber());
            return std::move(stack_);
        case Step::Kind::caller: break;
        }
        if (step.unconfirmed && unconfirmed_ == mostUnconfirmed) {
            end(StackEnd::no_rule,
                std::to_string(mostUnconfirmed) +
                    " frames in a row are guesses that nothing confirms: the next would be chance");
            return std::move(stack_);
        }
        unconfirmed_ = step.unconfirmed ? unconfirmed_ + 1 : 0;
        if (stack_.frames.size() >= options_.maxFrames) {
            end(StackEnd::limit, "cut at " + std::to_string(options_.maxFrames) + " frames");
            return std::move(stack_);
        }
        if (!takes(step)) {
            end(StackEnd::loop,
                "the caller of " + frameNumber() + " would not lie further up the stack");
            return std::move(stack_);
        }
    }
}

}  // namespace

Stack Unwinder::State::walk(const Registers& start, std::optional<Range> stackHint,
                            const UnwindOptions& options,
                            std::optional<std::uint64_t> shadowStack) const {
    if (start.empty()) return {};
    // From sure to desperate; the scans can be asked away.
    const std::array<const FrameFinder*, 8> guesses = {
        &lostPc,       &prologue, &sureFramePointer, &sureScan, &hiddenFramePointer,
        &framePointer, &scan,     &anyFramePointer};
    const std::array<const FrameFinder*, 6> withoutScans = {&lostPc,           &prologue,
                                                            &sureFramePointer, &hiddenFramePointer,
                                                            &framePointer,     &anyFramePointer};
    Walker walker(process, code, rules, options, stackHint, start, shadowStack);
    return walker.run(programs, signalFrame,
                      options.scan ? Walker::Finders(guesses) : Walker::Finders(withoutScans));
}

Unwinder::Unwinder(const Process& process, const Symbolizer& symbolizer)
    : state_(std::make_unique<State>(process, symbolizer)) {}

Unwinder::~Unwinder() = default;

void Unwinder::useShadowStacks(std::map<std::uint64_t, std::uint64_t> pointers) {
    state_->shadowStacks = std::move(pointers);
}

Stack Unwinder::unwind(const Thread& thread, const UnwindOptions& options) const {
    return thread.context ? unwindFrom(thread, thread.context->registers, options) : Stack();
}

Stack Unwinder::unwindFrom(const Thread& thread, const Registers& earlier,
                           const UnwindOptions& options) const {
    const auto shadow = state_->shadowStacks.find(thread.id);
    return state_->walk(
        earlier, thread.stack, options,
        shadow != state_->shadowStacks.end() ? std::optional(shadow->second) : std::nullopt);
}

Stack Unwinder::unwind(const Registers& registers, const UnwindOptions& options) const {
    return state_->walk(registers, std::nullopt, options);
}

}  // namespace icecore
