#include "monitor/pure_call.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "arch/disassembler.h"
#include "base/text.h"

namespace icecore::monitor {

namespace {

constexpr int mostSteps = 500;
constexpr std::uint64_t stackTop = 0xffff'f000'0000'0000;  // where no process has memory
constexpr std::uint64_t stackRoom = 1U << 16;
constexpr std::uint64_t returnToUs = 0xffff'ffff'ffff'0000;

/// A general register as an operand: which, and how many bytes of it.
struct RegisterOperand {
    RegisterId id = 0;
    unsigned size = 8;
};

std::optional<RegisterOperand> registerOperand(std::string_view text) {
    if (const auto id = registerByName(Arch::x86_64, text); id && *id <= x64::r15)
        return RegisterOperand{*id, 8};
    constexpr auto names =
        std::to_array<std::string_view>({"ax", "bx", "cx", "dx", "si", "di", "bp", "sp"});
    if (text.size() == 3 && text.front() == 'e') {
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (text.substr(1) == names[i]) return RegisterOperand{static_cast<RegisterId>(i), 4};
        }
    }
    if (text.size() >= 3 && text.front() == 'r' && text.back() == 'd') {
        if (const auto id = registerByName(Arch::x86_64, text.substr(0, text.size() - 1)))
            return RegisterOperand{*id, 4};
    }
    constexpr auto bytes =
        std::to_array<std::string_view>({"al", "bl", "cl", "dl", "sil", "dil", "bpl", "spl"});
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (text == bytes[i]) return RegisterOperand{static_cast<RegisterId>(i), 1};
    }
    return std::nullopt;
}

class Follower {
public:
    Follower(const AddressSpace& memory, const Disassembler& disassembler)
        : memory_(memory), disassembler_(disassembler), registers_(Arch::x86_64) {}

    std::optional<std::uint64_t> run(std::uint64_t function, std::uint64_t argument) {
        registers_.set(x64::rdi, argument);
        registers_.set(x64::rsp, stackTop);
        // What the caller has in its other registers is nobody's business, but may be saved.
        for (const RegisterId id : {x64::rbx, x64::rbp, x64::r12, x64::r13, x64::r14, x64::r15})
            registers_.set(id, 0);
        if (!push(returnToUs)) return std::nullopt;
        pc_ = function;
        for (int step = 0; step < mostSteps; ++step) {
            if (pc_ == returnToUs) return registers_.get(x64::rax);
            std::array<std::byte, 16> code{};
            const std::size_t got = memory_.read(pc_, code).bytes;
            const auto instruction = disassembler_.decode(std::span(code).first(got), pc_);
            if (!instruction || !follow(*instruction)) return std::nullopt;
        }
        return std::nullopt;
    }

private:
    [[nodiscard]] static std::uint64_t cut(std::uint64_t value, unsigned size) {
        return size >= 8 ? value : value & ((std::uint64_t{1} << (size * 8)) - 1);
    }

    [[nodiscard]] std::optional<std::uint64_t> load(std::uint64_t address, unsigned size) const {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < size; ++i) {
            std::byte byte{};
            if (const auto written = written_.find(address + i); written != written_.end())
                byte = written->second;
            else if (memory_.read(address + i, {&byte, 1}).bytes != 1)
                return std::nullopt;
            value |= std::to_integer<std::uint64_t>(byte) << (8 * i);
        }
        return value;
    }
    bool store(std::uint64_t address, std::uint64_t value, unsigned size) {
        if (address > stackTop || address < stackTop - stackRoom) return false;  // an effect
        for (unsigned i = 0; i < size; ++i)
            written_[address + i] = static_cast<std::byte>(value >> (8 * i) & 0xff);
        return true;
    }
    bool push(std::uint64_t value) {
        const auto sp = registers_.get(x64::rsp);
        if (!sp) return false;
        registers_.set(x64::rsp, *sp - 8);
        return store(*sp - 8, value, 8);
    }
    std::optional<std::uint64_t> pop() {
        const auto sp = registers_.get(x64::rsp);
        if (!sp) return std::nullopt;
        registers_.set(x64::rsp, *sp + 8);
        return load(*sp, 8);
    }

    /// The address of a memory operand written as `text`.
    [[nodiscard]] std::optional<std::uint64_t> addressOf(const Instruction& instruction,
                                                         std::string_view text) const {
        for (const MemoryOperand& operand : instruction.memory) {
            if (operand.text == text && !operand.segmentBase)
                return operand.address(registers_, next(instruction));
        }
        return std::nullopt;
    }
    /// Of `lea`, which accesses nothing and so has no memory operand: that of the load ("mov", one
    /// bit apart) with the same operands.
    [[nodiscard]] std::optional<std::uint64_t> loadedAddress(const Instruction& lea) const {
        constexpr std::byte leaCode{0x8d};
        constexpr std::byte loadCode{0x8b};
        std::vector<std::byte> bytes = lea.bytes;
        const auto code = std::ranges::find(bytes, leaCode);
        if (code == bytes.end()) return std::nullopt;
        *code = loadCode;
        const auto load = disassembler_.decode(bytes, lea.address);
        if (!load || load->memory.size() != 1 || load->memory[0].segmentBase) return std::nullopt;
        return load->memory[0].address(registers_, next(lea));
    }
    [[nodiscard]] static std::uint64_t next(const Instruction& instruction) {
        return instruction.address + instruction.bytes.size();
    }
    [[nodiscard]] static unsigned sizeOf(const Instruction& instruction, std::string_view text) {
        for (const MemoryOperand& operand : instruction.memory) {
            if (operand.text == text) return operand.size;
        }
        return 0;
    }

    [[nodiscard]] std::optional<std::uint64_t> value(const Instruction& instruction,
                                                     std::string_view text, unsigned size) const {
        if (const auto reg = registerOperand(text)) {
            const auto whole = registers_.get(reg->id);
            return whole ? std::optional(cut(*whole, reg->size)) : std::nullopt;
        }
        if (text.find('[') != std::string_view::npos) {
            const unsigned width = sizeOf(instruction, text);
            const auto address = addressOf(instruction, text);
            return address && width >= 1 && width <= 8 ? load(*address, width) : std::nullopt;
        }
        const bool negative = text.starts_with('-');
        const auto number = parseNumber(negative ? text.substr(1) : text);
        if (!number) return std::nullopt;
        return cut(negative ? 0 - *number : *number, size);
    }
    bool assign(const Instruction& instruction, std::string_view text, std::uint64_t value) {
        if (const auto reg = registerOperand(text)) {
            if (reg->size == 1) {
                const auto whole = registers_.get(reg->id);
                if (!whole) return false;
                registers_.set(reg->id, (*whole & ~std::uint64_t{0xff}) | cut(value, 1));
            } else {
                registers_.set(reg->id, cut(value, reg->size));
            }
            return true;
        }
        const auto address = addressOf(instruction, text);
        return address && store(*address, value, sizeOf(instruction, text));
    }
    [[nodiscard]] static unsigned widthOf(const Instruction& instruction, std::string_view text) {
        if (const auto reg = registerOperand(text)) return reg->size;
        return sizeOf(instruction, text);
    }

    bool follow(const Instruction& instruction) {
        const std::string_view name = instruction.mnemonic;
        std::vector<std::string_view> operands;
        for (const std::string_view part : split(instruction.operands, ','))
            operands.push_back(trim(part));
        if (operands.size() == 1 && operands[0].empty()) operands.clear();
        pc_ = next(instruction);

        if (name == "nop" || name == "endbr64") return true;
        if (name == "ret") {
            const auto to = pop();
            if (to) pc_ = *to;
            return to.has_value();
        }
        if (name == "leave") {
            const auto frame = registers_.get(x64::rbp);
            if (!frame) return false;
            registers_.set(x64::rsp, *frame);
            const auto saved = pop();
            if (saved) registers_.set(x64::rbp, *saved);
            return saved.has_value();
        }
        if (operands.size() == 1) {
            if (name == "push") {
                const auto pushed = value(instruction, operands[0], 8);
                return pushed && push(*pushed);
            }
            if (name == "pop") {
                const auto popped = pop();
                return popped && assign(instruction, operands[0], *popped);
            }
            if (name == "call" || name == "jmp" || name == "bnd jmp") {
                const auto to =
                    instruction.target ? instruction.target : value(instruction, operands[0], 8);
                if (!to || (name == "call" && !push(pc_))) return false;
                pc_ = *to;
                return true;
            }
            return branch(instruction, name);
        }
        if (operands.size() != 2) return false;
        return twoOperands(instruction, name, operands[0], operands[1]);
    }

    bool branch(const Instruction& instruction, std::string_view name) {
        if (!instruction.target || !compared_) return false;
        const auto [left, right] = *compared_;
        bool taken = false;
        if (name == "je")
            taken = left == right;
        else if (name == "jne")
            taken = left != right;
        else if (name == "jb")
            taken = left < right;
        else if (name == "jae")
            taken = left >= right;
        else if (name == "jbe")
            taken = left <= right;
        else if (name == "ja")
            taken = left > right;
        else
            return false;
        if (taken) pc_ = *instruction.target;
        return true;
    }

    bool twoOperands(const Instruction& instruction, std::string_view name, std::string_view to,
                     std::string_view from) {
        const unsigned width = widthOf(instruction, to);
        if (width == 0 || width > 8) return false;
        if (name == "lea") {
            const auto address = loadedAddress(instruction);
            if (address) return assign(instruction, to, *address);
            return false;
        }
        const auto right = value(instruction, from, width);
        if (!right) {
            // "xor eax, eax" needs to know nothing.
            if ((name == "xor" || name == "sub") && to == from) return assign(instruction, to, 0);
            return false;
        }
        if (name == "mov" || name == "movzx" || name == "movabs")
            return assign(instruction, to, *right);
        const auto left = value(instruction, to, width);
        if (!left) return false;
        if (name == "cmp") {
            compared_ = {*left, *right};
            return true;
        }
        if (name == "test") {
            compared_ = {*left & *right, 0};
            return true;
        }
        std::uint64_t result = 0;
        if (name == "add")
            result = *left + *right;
        else if (name == "sub")
            result = *left - *right;
        else if (name == "and")
            result = *left & *right;
        else if (name == "or")
            result = *left | *right;
        else if (name == "xor")
            result = *left ^ *right;
        else
            return false;
        compared_ = {cut(result, width), 0};
        if (name == "sub") compared_ = {*left, *right};
        return assign(instruction, to, result);
    }

    const AddressSpace& memory_;
    const Disassembler& disassembler_;
    Registers registers_;
    std::uint64_t pc_ = 0;
    std::map<std::uint64_t, std::byte> written_;
    std::optional<std::pair<std::uint64_t, std::uint64_t>> compared_;
};

}  // namespace

std::optional<std::uint64_t> evaluatePureCall(const AddressSpace& memory, std::uint64_t function,
                                              std::uint64_t argument) {
    const auto disassembler = Disassembler::create(Arch::x86_64);
    if (!disassembler) return std::nullopt;
    return Follower(memory, **disassembler).run(function, argument);
}

}  // namespace icecore::monitor
