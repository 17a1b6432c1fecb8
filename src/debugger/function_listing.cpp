// uf: a function's code, block by block, found by following its branches.
#include <fmt/format.h>

#include <deque>
#include <map>

#include "base/range.h"
#include "debugger/code_text.h"
#include "debugger/commands.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

constexpr std::size_t mostInstructions = 50'000;
/// Bytes a function without a known size may span.
constexpr std::uint64_t unknownSize = 0x10000;

/// The instructions that can be reached from a function's start.
class FlowWalk {
public:
    FlowWalk(Session& session, const Symbol& function)
        : session_(session), function_(function), reader_(session) {}

    void run() {
        pending_.push_back(function_.address);
        while (!pending_.empty() && lines_.size() < mostInstructions && !session_.interrupted()) {
            const std::uint64_t begin = pending_.front();
            pending_.pop_front();
            follow(begin);
        }
    }
    [[nodiscard]] const std::map<std::uint64_t, CodeLine>& lines() const { return lines_; }
    [[nodiscard]] bool indirect() const { return indirect_; }
    [[nodiscard]] bool cut() const { return lines_.size() >= mostInstructions; }

private:
    void follow(std::uint64_t at) {
        while (belongs(at) && !lines_.contains(at) && lines_.size() < mostInstructions) {
            CodeLine line = reader_.line(at);
            const auto instruction = line.instruction;
            const std::uint64_t next = line.next;
            lines_.emplace(at, std::move(line));
            if (!instruction) return;
            switch (instruction->flow) {
            case Flow::ret: return;
            case Flow::trap:
                // int3 and ud2 end a path; a system call returns.
                if (instruction->mnemonic.starts_with("ud") || instruction->mnemonic == "int3" ||
                    instruction->mnemonic == "hlt" || instruction->mnemonic == "brk")
                    return;
                break;
            case Flow::jump:
                if (instruction->target) {
                    pending_.push_back(*instruction->target);
                } else {
                    indirect_ = true;
                }
                return;
            case Flow::conditional_jump:
                if (instruction->target) pending_.push_back(*instruction->target);
                break;
            case Flow::call:
            case Flow::next: break;
            }
            at = next;
        }
    }

    /// Inside the function, or in the part a compiler has moved away from it (NAME.cold).
    [[nodiscard]] bool belongs(std::uint64_t address) const {
        const Range body =
            Range::ofSize(function_.address, function_.size != 0 ? function_.size : unknownSize);
        if (body.contains(address)) {
            if (function_.size != 0) return true;
            const auto symbol = session_.symbolizer().nearestSymbol(address);
            return symbol && symbol->address == function_.address;
        }
        const auto symbol = session_.symbolizer().nearestSymbol(address);
        return symbol && symbol->name.starts_with(function_.name) &&
               symbol->name.substr(function_.name.size()).starts_with(".cold");
    }

    Session& session_;
    const Symbol& function_;
    CodeReader reader_;
    std::deque<std::uint64_t> pending_;
    std::map<std::uint64_t, CodeLine> lines_;
    bool indirect_ = false;
};

/// Places that something other than the instruction before them leads to.
bool isLabel(const std::map<std::uint64_t, CodeLine>& lines, std::uint64_t address,
             const std::map<std::uint64_t, bool>& targets) {
    return targets.contains(address) || lines.begin()->first == address;
}

}  // namespace

Result<void> disassembleFunction(CommandCall& call) {
    Session& session = call.session;
    std::uint64_t address = session.registers().pc();
    while (call.arguments.rest().starts_with('/'))
        call.arguments.takeWord();  // /c /D /m /o /i
    if (!call.arguments.empty()) {
        ASSIGN_OR_RETURN(address, call.arguments.takeExpression());
    }
    TRY(call.arguments.finish());
    const auto function = session.symbolizer().nearestSymbol(address);
    if (!function) {
        return fail(Errc::not_found,
                    fmt::format("No code found, aborting: no function is known at {}",
                                addressText(session, address)));
    }
    FlowWalk walk(session, *function);
    walk.run();
    const auto& lines = walk.lines();
    if (lines.empty() || !lines.begin()->second.readable) {
        return fail(Errc::unreadable,
                    "No code found, aborting: " + session.memory().explain(function->address));
    }

    std::map<std::uint64_t, bool> targets;
    for (const auto& [at, line] : lines) {
        if (line.instruction && line.instruction->target && line.instruction->flow != Flow::call)
            targets[*line.instruction->target] = true;
    }
    std::uint64_t expected = lines.begin()->first;
    for (const auto& [at, line] : lines) {
        if (session.interrupted()) break;
        const CodePlace place = placeOf(session, at);
        if (at != expected || isLabel(lines, at, targets)) {
            if (at != lines.begin()->first) call.out.write("\n");
            call.out.write(place.heading() + "\n");
        }
        if (place.line != 0) call.out.print("{:>5} ", place.line);
        call.out.write(line.text);
        expected = line.next;
    }
    if (walk.indirect()) {
        call.out.write(
            "\n(a jump through a register or table was not followed: code it leads to may "
            "be missing here; `u` shows it)\n");
    }
    if (walk.cut()) call.out.write("\n(cut: the function is too long)\n");
    return {};
}

}  // namespace icecore::debugger
