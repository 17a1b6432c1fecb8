// One instruction at a time, as text and as facts.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arch/registers.h"
#include "base/error.h"

namespace icecore {

enum class Flow : std::uint8_t { next, call, jump, conditional_jump, ret, trap };

/// What becomes of the index register before it is scaled (arm64).
enum class IndexExtension : std::uint8_t { none, zero32, sign32 };

/// A memory operand: segment base + base + index * scale + displacement.
struct MemoryOperand {
    std::optional<RegisterId> base, index;
    std::optional<RegisterId> segmentBase;  ///< fs_base / gs_base where the operand names one
    std::uint8_t scale = 1;
    std::int64_t displacement = 0;
    IndexExtension extension = IndexExtension::none;
    bool subtractIndex = false;    ///< arm: base - index
    std::uint8_t addressSize = 8;  ///< bytes: the sum is cut to so many
    bool computable = true;        ///< false: not from integer registers alone (gathers, es:…)
    std::uint16_t size =
        0;  ///< bytes accessed; of repeated and block instructions, one item's; 0 unknown
    bool read = false, write = false;
    std::string text;  ///< as written, e.g. "qword ptr [rax + 0x10]"

    /// The address, when every register it needs is known. For operands relative to the
    /// instruction pointer `nextPc` is the address of the following instruction.
    [[nodiscard]] std::optional<std::uint64_t> address(const Registers& registers,
                                                       std::uint64_t nextPc) const;
};

struct Instruction {
    std::uint64_t address = 0;
    std::vector<std::byte> bytes;
    std::string mnemonic, operands;
    Flow flow = Flow::next;
    std::optional<std::uint64_t> target;       ///< of a direct call or jump
    std::optional<RegisterId> targetRegister;  ///< of an indirect one through a register
    std::vector<MemoryOperand> memory;  ///< explicit and implicit (push, pop, call, ret, movs)
};

/// Thread-compatible: one per thread.
class Disassembler {
public:
    static Result<std::unique_ptr<Disassembler>> create(Arch arch);
    virtual ~Disassembler() = default;
    /// The instruction at the start of `code`, or nothing when it is not a valid one.
    [[nodiscard]] virtual std::optional<Instruction> decode(std::span<const std::byte> code,
                                                            std::uint64_t address) const = 0;
};

}  // namespace icecore
