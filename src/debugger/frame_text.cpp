#include "debugger/frame_text.h"

#include <fmt/format.h>

#include "base/text.h"
#include "debugger/frame_variables.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

/// The frame the stack's physical frame `index` returns to, or null.
const Frame* callerOf(const NamedStack& stack, std::size_t physical) {
    return physical + 1 < stack.stack.frames.size() ? &stack.stack.frames[physical + 1] : nullptr;
}

std::string returnAddressText(const Session& session, const NamedStack& stack,
                              const NamedFrame& frame) {
    if (const Frame* caller = callerOf(stack, frame.physical))
        return addressText(session, caller->pc);
    // The outermost frame returns nowhere; where the stack was cut nobody knows.
    return stack.stack.end == StackEnd::complete ? addressText(session, 0)
                                                 : unknownAddressText(session);
}

/// Words above the return address that a line shows: four, of 32-bit code three.
std::size_t argumentCount(const Session& session) {
    return session.pointerSize() == 4 ? 3 : 4;
}

/// The words above the return address: where Windows' convention keeps arguments' homes and 32-bit
/// code its arguments. In System V code they are whatever the caller keeps there.
std::string argumentsText(const Session& session, const NamedStack& stack,
                          const NamedFrame& frame) {
    const std::size_t size = session.pointerSize();
    const Frame* caller = callerOf(stack, frame.physical);
    std::string text;
    for (std::size_t i = 0; i < argumentCount(session); ++i) {
        std::optional<std::uint64_t> word;
        if (caller != nullptr)
            word = session.process().memory->readPointer(caller->sp + i * size, size);
        if (i > 0) text += ' ';
        text += word ? addressText(session, *word) : unknownAddressText(session);
    }
    return text;
}

std::string trustText(const NamedFrame& frame, bool always) {
    switch (frame.trust) {
    case Trust::frame_pointer: return " (frame pointer)";
    case Trust::shadow_stack: return " (shadow stack)";
    case Trust::scan: return " (scan: may be stale)";
    default: break;
    }
    return always ? fmt::format(" ({})", toString(frame.trust)) : std::string();
}

/// "(Inline Function) --------`--------" where a physical frame has its two addresses.
std::string inlineColumns(const Session& session) {
    return session.pointerSize() == 4 ? "(Inline) --------" : "(Inline Function) --------`--------";
}

/// Dashes where a physical frame has four words.
std::string inlineArguments(const Session& session) {
    return session.pointerSize() == 4
               ? "-------- -------- --------"
               : "--------`-------- --------`-------- --------`-------- --------`--------";
}

/// "(int first = 0n-1, char third = 0n99 'c')"; empty where nothing is known of the parameters.
std::string parametersText(const Session& session, const NamedStack& stack, std::size_t index,
                           StackStyle::Parameters style) {
    const auto frame = frameVariables(session, stack, index);
    if (!frame) return {};
    std::string text;
    for (const Variable& variable : frame->variables) {
        if (!variable.parameter) continue;
        const std::string_view separator =
            style == StackStyle::Parameters::inLine ? ", " : ", \n\t\t\t";
        text += text.empty() ? separator.substr(2) : separator;
        text += fmt::format("{} {} = {}", declaredTypeText(*frame->module.types, variable.type),
                            printable(variable.name), variableText(session, *frame, variable));
    }
    return "(" + text + ")";
}

/// What a frame is known by: its stack pointer; of x86 its frame pointer, and of a function that
/// keeps none where it would be, below the return address (ChildEBP).
std::uint64_t frameAddress(const NamedStack& stack, const NamedFrame& frame) {
    const Frame& physical = stack.stack.frames[frame.physical];
    if (physical.registers.arch() != Arch::x86) return frame.sp;
    std::optional<std::uint64_t> caller;
    if (frame.physical + 1 < stack.stack.frames.size())
        caller = stack.stack.frames[frame.physical + 1].sp;
    const auto ebp = physical.registers.get(x86::ebp);
    if (ebp && *ebp >= frame.sp && (!caller || *ebp < *caller)) return *ebp;
    return caller && *caller >= frame.sp + 8 ? *caller - 8 : frame.sp;
}

/// What stands between the frame's number and its place.
std::string columnsText(const Session& session, const NamedStack& stack, const NamedFrame& frame,
                        const StackStyle& style) {
    const bool inlined = frame.trust == Trust::inlined;
    const auto own = [&] { return addressText(session, frameAddress(stack, frame)); };
    const auto both = [&] {
        return inlined ? inlineColumns(session)
                       : own() + " " + returnAddressText(session, stack, frame);
    };
    if (!style.arguments) return both() + "     ";
    const std::string arguments =
        inlined ? inlineArguments(session) : argumentsText(session, stack, frame);
    if (session.pointerSize() == 4) return both() + "     " + arguments + " ";
    std::string text;
    if (style.trust)
        text = both();
    else
        text = inlined ? "(Inline Function)" : returnAddressText(session, stack, frame);
    return text + "     : " + arguments + " : ";
}

}  // namespace

std::string stackHeader(const Session& session, const StackStyle& style) {
    std::string text;
    if (style.numbers) text += " # ";
    if (style.distance) text += "  Memory  ";
    if (style.bare) return text + "Call Site\n";
    if (session.pointerSize() == 4) {
        return text + (style.arguments ? "ChildEBP RetAddr      Args to Child              \n"
                                       : "ChildEBP RetAddr      \n");
    }
    if (!style.arguments) return text + "Child-SP          RetAddr               Call Site\n";
    if (style.trust) text += "Child-SP          ";
    return text +
           "RetAddr               : Args to Child                                     "
           "                      : Call Site\n";
}

std::string frameLine(const Session& session, const NamedStack& stack, std::size_t index,
                      const StackStyle& style) {
    const NamedFrame& frame = stack.frames[index];
    std::string text;
    if (style.numbers) text += fmt::format("{:02x} ", index);
    const bool inlined = frame.trust == Trust::inlined;
    if (style.distance) {
        const bool first = frame.physical == 0 || inlined;
        const std::uint64_t bytes =
            first ? 0 : frame.sp - stack.stack.frames[frame.physical - 1].sp;
        text += first ? "          " : fmt::format("{:>8x}  ", bytes);
    }
    if (!style.bare) text += columnsText(session, stack, frame, style);
    std::string where = frameText(session, frame);
    const std::size_t offset = where.rfind("+0x");
    const std::size_t nameEnd =
        frame.function.empty() || offset == std::string::npos ? where.size() : offset;
    if (style.bare) where.resize(nameEnd);
    if (style.parameters != StackStyle::Parameters::none)
        where.insert(nameEnd, parametersText(session, stack, index, style.parameters));
    text += where;
    if (frame.signalFrame && session.process().system.os != Os::windows)
        text += " <signal handler called>";
    if (style.lines) text += lineText(frame.file, frame.line);
    return text + trustText(frame, style.trust) + "\n";
}

void printStack(Session& session, Output& out, const NamedStack& stack, const StackStyle& style,
                std::size_t limit) {
    if (stack.frames.empty()) {
        out.write("the dump has no registers of this thread, so no stack can be found\n");
        return;
    }
    out.write(stackHeader(session, style));
    const std::size_t count = std::min(limit, stack.frames.size());
    bool warned = false;
    for (std::size_t i = 0; i < count && !session.interrupted(); ++i) {
        const Trust trust = stack.frames[i].trust;
        if (!warned && (trust == Trust::frame_pointer || trust == Trust::scan)) {
            out.write(
                "WARNING: Stack unwind information not available. Following frames may be "
                "wrong.\n");
            warned = true;
        }
        out.write(frameLine(session, stack, i, style));
    }
    if (count < stack.frames.size()) {
        out.print("({} more frames; `k {:x}` shows all)\n", stack.frames.size() - count,
                  stack.frames.size());
    } else if (stack.stack.end != StackEnd::complete) {
        out.print("(the stack was followed no further: {})\n",
                  stack.stack.note.empty() ? std::string(toString(stack.stack.end))
                                           : printable(stack.stack.note));
    }
}

}  // namespace icecore::debugger
