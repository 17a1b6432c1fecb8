#include "debugger/code_text.h"

#include <fmt/format.h>

#include <array>
#include <cctype>

#include "base/text.h"
#include "debugger/memory_read.h"
#include "debugger/symbol_text.h"

namespace icecore::debugger {

namespace {

/// Bytes of the longest instruction (x86).
constexpr std::size_t longest = 15;

/// "0x1f" becomes "1Fh", "0xff" "0FFh": a number begins with a digit.
std::string masmNumber(std::string_view digits) {
    std::string text;
    for (const char c : digits)
        text += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (std::isalpha(static_cast<unsigned char>(text.front())) != 0) text.insert(0, 1, '0');
    return text + "h";
}

bool isX86(Arch arch) {
    return arch == Arch::x86 || arch == Arch::x86_64;
}

std::string targetText(const Session& session, std::uint64_t target) {
    const std::string symbol = symbolText(session, target);
    const std::string address = addressText(session, target);
    return symbol.empty() ? address : fmt::format("{} ({})", symbol, address);
}

/// What "[rip + 0x2fe2]" stands for: the displacement counts from the next instruction.
std::optional<std::uint64_t> ripTarget(const Instruction& instruction, std::string_view inside) {
    inside = trim(inside.substr(std::string_view("rip").size()));
    if (inside.empty() || (inside.front() != '+' && inside.front() != '-')) return std::nullopt;
    const auto displacement = parseNumber(trim(inside.substr(1)));
    if (!displacement) return std::nullopt;
    const std::uint64_t next = instruction.address + instruction.bytes.size();
    return inside.front() == '+' ? next + *displacement : next - *displacement;
}

/// x86 operands; one relative to the instruction pointer says what it stands for.
std::string x86Operands(const Session& session, const Instruction& instruction) {
    const std::string_view operands = instruction.operands;
    const std::size_t open = operands.find("[rip");
    const std::size_t close = operands.find(']', std::min(open, operands.size()));
    if (open == std::string_view::npos || close == std::string_view::npos)
        return masmOperands(operands);
    const auto target = ripTarget(instruction, operands.substr(open + 1, close - open - 1));
    if (!target) return masmOperands(operands);
    return masmOperands(operands.substr(0, open + 1)) + targetText(session, *target) +
           masmOperands(operands.substr(close));
}

std::string operandsText(const Session& session, const Instruction& instruction) {
    std::string operands =
        isX86(session.arch()) ? x86Operands(session, instruction) : instruction.operands;
    if (instruction.target) {
        // The target is the last operand: the only one of x86, behind a register in "cbz x0, …".
        const std::size_t comma = operands.rfind(',');
        operands.resize(comma == std::string::npos ? 0 : comma + 1);
        if (comma != std::string::npos && !isX86(session.arch())) operands += ' ';
        return operands + targetText(session, *instruction.target);
    }
    return operands;
}

}  // namespace

std::string masmOperands(std::string_view operands) {
    std::string text;
    text.reserve(operands.size());
    for (std::size_t i = 0; i < operands.size(); ++i) {
        const char c = operands[i];
        const char before = text.empty() ? '\0' : text.back();
        if (c == ' ') {
            const char after = i + 1 < operands.size() ? operands[i + 1] : '\0';
            const auto tight = [](char x) { return x == '+' || x == '-' || x == '*' || x == ','; };
            if (tight(before) || tight(after)) continue;
            text += c;
            continue;
        }
        const bool inName = std::isalnum(static_cast<unsigned char>(before)) != 0;
        if (c == '0' && !inName && i + 2 < operands.size() && operands[i + 1] == 'x') {
            std::size_t end = i + 2;
            while (end < operands.size() &&
                   std::isxdigit(static_cast<unsigned char>(operands[end])) != 0)
                ++end;
            if (end > i + 2) {
                text += masmNumber(operands.substr(i + 2, end - i - 2));
                i = end - 1;
                continue;
            }
        }
        text += c;
    }
    return text;
}

CodeReader::CodeReader(Session& session) : session_(session) {
    if (auto created = Disassembler::create(session.arch())) disassembler_ = std::move(*created);
}

std::optional<Instruction> CodeReader::decode(std::uint64_t address) const {
    if (!disassembler_) return std::nullopt;
    std::array<std::byte, longest> bytes{};
    const std::size_t count = session_.memory().read(address, bytes).bytes;
    return disassembler_->decode(std::span(bytes).first(count), address);
}

CodeLine CodeReader::line(std::uint64_t address) const {
    CodeLine line;
    line.address = address;
    const std::string where = addressText(session_, address);
    std::array<std::byte, longest> bytes{};
    const std::size_t count = session_.memory().read(address, bytes).bytes;
    const std::size_t step = archInfo(session_.arch()).minInstructionSize;
    if (count == 0) {
        line.readable = false;
        line.next = address + step;
        line.text = fmt::format("{} {:<15} ???\n", where, "??");
        return line;
    }
    if (disassembler_)
        line.instruction = disassembler_->decode(std::span(bytes).first(count), address);
    if (!line.instruction) {
        line.next = address + step;
        const std::string raw = hexBytes(std::span(bytes).first(std::min(count, step)));
        line.text = fmt::format("{} {:<15} ???\n", where, raw);
        return line;
    }
    line.next = address + line.instruction->bytes.size();
    line.text = fmt::format("{} {:<15} {:<7} {}", where, hexBytes(line.instruction->bytes),
                            line.instruction->mnemonic, operandsText(session_, *line.instruction));
    line.text.erase(line.text.find_last_not_of(' ') + 1);
    line.text += '\n';
    return line;
}

std::string CodePlace::heading() const {
    return symbol + lineText(file, line) + ":";
}

std::string accessText(const Session& session, const Instruction& instruction,
                       const Registers& registers) {
    std::string text;
    const std::uint64_t next = instruction.address + instruction.bytes.size();
    for (const MemoryOperand& memory : instruction.memory) {
        // Pushes and calls touch the stack without naming it.
        if (memory.text.empty() || instruction.operands.find(memory.text) == std::string::npos)
            continue;
        const auto address = memory.address(registers, next);
        if (!address) continue;
        const bool stack = isX86(session.arch()) && memory.base &&
                           (*memory.base == archInfo(session.arch()).sp ||
                            *memory.base == archInfo(session.arch()).fp);
        const std::size_t size = memory.size == 1 || memory.size == 2 || memory.size == 4
                                     ? memory.size
                                     : sizeof(std::uint64_t);
        const PatchyBytes bytes(session.memory(), *address, size);
        // 32-bit code has segments, 64-bit code but their names.
        const auto selector =
            session.arch() == Arch::x86 ? registers.get(stack ? x86::ss : x86::ds) : std::nullopt;
        text += fmt::format(
            " {}:{}{}={}", stack ? "ss" : "ds", selector ? fmt::format("{:04x}:", *selector) : "",
            addressText(session, *address), valuesText(bytes, 0, size, size, false));
    }
    return text;
}

CodePlace placeOf(Session& session, std::uint64_t address) {
    CodePlace place;
    place.symbol = symbolOrAddressText(session, address);
    const Symbolization known = session.symbolizer().symbolize(address, false);
    if (!known.frames.empty()) {
        place.file = known.frames.front().file;
        place.line = known.frames.front().line;
    }
    return place;
}

}  // namespace icecore::debugger
