// k and its variants, .frame.
#include <fmt/format.h>

#include "debugger/commands.h"
#include "debugger/frame_text.h"
#include "debugger/register_text.h"

namespace icecore::debugger {

namespace {

/// Frames `k` shows when nobody says how many.
constexpr std::size_t defaultFrames = 256;

StackStyle styleOf(std::string_view flags) {
    StackStyle style;
    for (const char flag : flags) {
        switch (flag) {
        case 'n': style.numbers = true; break;
        case 'b': style.arguments = true; break;
        case 'v': style.arguments = style.trust = true; break;
        case 'f': style.distance = true; break;
        case 'c':
            style.bare = true;
            style.lines = false;
            break;
        case 'L': style.lines = false; break;
        case 'M':  // WinDbg's links: what they name is the frame's number
            style.numbers = true;
            style.lines = false;
            break;
        case 'p': style.parameters = StackStyle::Parameters::inLine; break;
        case 'P': style.parameters = StackStyle::Parameters::lines; break;
        default: break;
        }
    }
    return style;
}

/// `k = SP IP [COUNT]`: a stack from given registers, for when the real ones are lost.
Result<NamedStack> stackFrom(CommandCall& call) {
    Registers registers(call.session.arch());
    const ArchInfo& info = archInfo(call.session.arch());
    ASSIGN_OR_RETURN(const std::uint64_t sp, call.arguments.takeExpression());
    ASSIGN_OR_RETURN(const std::uint64_t pc, call.arguments.takeExpression());
    registers.set(info.sp, sp);
    registers.set(info.pc, pc);
    const Thread* thread = call.session.thread();
    return nameStack(thread != nullptr ? thread->id : 0, call.session.unwinder().unwind(registers),
                     call.session.symbolizer());
}

}  // namespace

Result<void> showStack(CommandCall& call) {
    StackStyle style = styleOf(call.flags);
    std::size_t limit = defaultFrames;
    std::optional<NamedStack> given;
    if (call.arguments.rest().starts_with('=')) {
        call.arguments.skip(1);
        ASSIGN_OR_RETURN(given, stackFrom(call));
    }
    if (call.arguments.takeKeyword("L")) style.lines = false;
    if (!call.arguments.empty()) {
        ASSIGN_OR_RETURN(limit, call.arguments.takeExpression());
    }
    TRY(call.arguments.finish());
    if (!given && call.session.thread() == nullptr &&
        call.session.contextKind() == ContextKind::thread) {
        return fail(Errc::not_found, "the dump has no threads");
    }
    printStack(call.session, call.out, given ? *given : call.session.stack(), style, limit);
    return {};
}

Result<void> selectFrame(CommandCall& call) {
    bool show = false;
    bool context = false;
    while (call.arguments.rest().starts_with('/')) {
        if (call.arguments.takeSwitch('r')) {
            show = true;
        } else if (call.arguments.takeSwitch('c')) {
            context = true;
        } else {
            return call.arguments.finish();
        }
    }
    Session& session = call.session;
    std::uint64_t number = session.frame();
    if (!call.arguments.empty()) {
        ASSIGN_OR_RETURN(number, call.arguments.takeExpression());
        TRY(call.arguments.finish());
    }
    const NamedStack& stack = session.stack();
    if (number >= stack.frames.size()) {
        return fail(Errc::not_found,
                    stack.frames.empty()
                        ? std::string("the thread has no frames")
                        : fmt::format("Cannot find frame 0x{:x}, previous scope unchanged: frames "
                                      "0 to 0x{:x} exist",
                                      number, stack.frames.size() - 1));
    }
    const auto index = static_cast<std::size_t>(number);
    StackStyle style;
    style.numbers = true;
    call.out.write(frameLine(session, stack, index, style));
    const Frame& physical = stack.stack.frames[stack.frames[index].physical];
    if (show || context) {
        call.out.write(registersText(session, physical.registers));
        call.out.write(instructionAt(session, physical.registers));
    }
    if (context) {
        const Frame kept = physical;  // the stack it stands in goes with the old context
        session.useContext(ContextKind::frame, kept.registers, kept.pcIsReturnAddress);
    } else {
        session.selectFrame(index);
    }
    return {};
}

}  // namespace icecore::debugger
