// u, ub.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "debugger/code_text.h"
#include "debugger/commands.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

constexpr std::uint64_t defaultCount = 8;
/// Instructions one call prints at most.
constexpr std::uint64_t mostInstructions = 100'000;

/// Where `u` begins and how many instructions it shows; an end address counts as bytes.
struct CodeSpan {
    std::uint64_t begin = 0;
    std::uint64_t count = defaultCount;
    std::uint64_t end = UINT64_MAX;
};

Result<CodeSpan> takeSpan(CommandCall& call) {
    CodeSpan span;
    if (call.arguments.empty()) {
        const Registers& registers = call.session.registers();
        if (!call.session.nextCode && !registers.has(archInfo(call.session.arch()).pc))
            return fail(Errc::usage, "no program counter is known; give an address");
        span.begin = call.session.nextCode.value_or(registers.pc());
        return span;
    }
    ASSIGN_OR_RETURN(span.begin, call.arguments.takeExpression());
    if (call.arguments.empty()) return span;
    const char next = call.arguments.rest().front();
    if (next == 'L' || next == 'l') {
        call.arguments.skip(1);
        ASSIGN_OR_RETURN(span.count, call.arguments.takeExpression());
    } else {
        ASSIGN_OR_RETURN(span.end, call.arguments.takeExpression());
        span.count = mostInstructions;
    }
    TRY(call.arguments.finish());
    span.count = std::min(span.count, mostInstructions);
    return span;
}

void printHeading(Output& out, const CodePlace& place) {
    out.write(place.heading() + "\n");
}

/// Starts of `count` instructions that end exactly at `address`. Instructions of varying length
/// cannot be read backwards: begin at the function's start, or, without one, where the longest
/// sensible run leads here.
std::vector<std::uint64_t> instructionsBefore(const Session& session, const CodeReader& reader,
                                              std::uint64_t address, std::size_t count) {
    constexpr std::uint64_t farthest = 0x10000;
    const auto runFrom = [&](std::uint64_t begin) {
        std::vector<std::uint64_t> starts;
        std::uint64_t at = begin;
        while (at < address) {
            const auto instruction = reader.decode(at);
            if (!instruction) return std::vector<std::uint64_t>();
            starts.push_back(at);
            at += instruction->bytes.size();
        }
        return at == address ? starts : std::vector<std::uint64_t>();
    };
    std::vector<std::uint64_t> starts;
    if (const auto symbol = session.symbolizer().nearestSymbol(address - 1);
        symbol && symbol->address < address && address - symbol->address <= farthest) {
        starts = runFrom(symbol->address);
    }
    const std::uint64_t step = archInfo(session.arch()).minInstructionSize;
    const std::uint64_t longest = step == 1 ? 15 : 4;
    for (std::uint64_t back = std::min(address, count * longest); starts.empty() && back > 0;
         back -= std::min(back, step)) {
        starts = runFrom(address - back);
    }
    if (starts.size() > count)
        starts.erase(starts.begin(), starts.end() - static_cast<std::ptrdiff_t>(count));
    return starts;
}

}  // namespace

Result<void> disassemble(CommandCall& call) {
    ASSIGN_OR_RETURN(const CodeSpan span, takeSpan(call));
    const CodeReader reader(call.session);
    std::uint64_t at = span.begin;
    CodePlace last;
    std::string lastFunction;
    for (std::uint64_t i = 0; i < span.count && at <= span.end && !call.session.interrupted();
         ++i) {
        const CodePlace place = placeOf(call.session, at);
        const std::string function = place.symbol.substr(0, place.symbol.rfind("+0x"));
        if (i == 0 || function != lastFunction || place.file != last.file ||
            place.line != last.line) {
            printHeading(call.out, place);
        }
        last = place;
        lastFunction = function;
        const CodeLine line = reader.line(at);
        call.out.write(line.text);
        if (!line.readable) {
            at = line.next;
            call.session.nextCode = at;
            if (i == 0)
                return fail(Errc::unreadable,
                            "Memory access error: " + call.session.memory().explain(span.begin));
            return {};
        }
        if (line.next < at) break;  // the end of the address space
        at = line.next;
    }
    call.session.nextCode = at;
    return {};
}

Result<void> disassembleBack(CommandCall& call) {
    CodeSpan span;
    if (call.arguments.empty()) {
        span.begin = call.session.registers().pc();
    } else {
        ASSIGN_OR_RETURN(span, takeSpan(call));
    }
    const CodeReader reader(call.session);
    const auto starts =
        instructionsBefore(call.session, reader, span.begin,
                           static_cast<std::size_t>(std::min<std::uint64_t>(span.count, 4096)));
    if (starts.empty()) {
        return fail(Errc::unreadable, fmt::format("no instructions that end at {} can be read",
                                                  addressText(call.session, span.begin)));
    }
    CodePlace last;
    for (std::size_t i = 0; i < starts.size() && !call.session.interrupted(); ++i) {
        const CodePlace place = placeOf(call.session, starts[i]);
        if (i == 0 || place.file != last.file || place.line != last.line)
            printHeading(call.out, place);
        last = place;
        call.out.write(reader.line(starts[i]).text);
    }
    return {};
}

}  // namespace icecore::debugger
