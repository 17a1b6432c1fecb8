// arm64 and arm. Semantics: Arm Architecture Reference Manual for A-profile (DDI 0487), and for
// ARMv7-A (DDI 0406). Capstone's access flags of these are unreliable; names tell loads and stores.
#include <algorithm>
#include <array>

#include "arch/disassembler_capstone.h"

namespace icecore::disassembly {

namespace {

struct ArmRegister {
    RegisterId id;
    bool narrow;  ///< w0 … w30
};

std::optional<ArmRegister> arm64Register(csh handle, unsigned reg) {
    const char* raw = reg == ARM64_REG_INVALID ? nullptr : cs_reg_name(handle, reg);
    if (raw == nullptr) return std::nullopt;
    std::string name = raw;
    const bool narrow = name.starts_with('w');
    if (narrow) name.front() = 'x';
    if (name == "xsp") name = "sp";
    const auto id = registerByName(Arch::arm64, name);
    return id ? std::optional(ArmRegister{*id, narrow}) : std::nullopt;
}

/// Bytes that one register of a load or store stands for: by the name's suffix, else the
/// register's.
std::uint16_t arm64AccessSize(csh handle, std::string_view mnemonic, const cs_arm64& arm64) {
    // ldtrb, ldxrb, ldarb, sturb, ldrsb, ldursw…
    if (mnemonic.ends_with("sb") || mnemonic.ends_with("rb")) return 1;
    if (mnemonic.ends_with("sh") || mnemonic.ends_with("rh")) return 2;
    if (mnemonic.ends_with("rsw")) return 4;
    if (mnemonic == "ldpsw") return 8;
    unsigned size = 0;
    bool status = mnemonic.starts_with("stxr") || mnemonic.starts_with("stlxr") ||
                  mnemonic.starts_with("stxp") || mnemonic.starts_with("stlxp");
    for (std::size_t i = 0; i < arm64.op_count; ++i) {
        const cs_arm64_op& operand = arm64.operands[i];
        if (operand.type != ARM64_OP_REG) continue;
        if (status) {  // the first register receives whether the store happened
            status = false;
            continue;
        }
        const char* raw = cs_reg_name(handle, operand.reg);
        switch (raw == nullptr ? '?' : raw[0]) {
        case 'w':
        case 's': size += 4; break;
        case 'x':
        case 'd': size += 8; break;
        case 'q': size += 16; break;
        case 'h': size += 2; break;
        case 'b': size += 1; break;
        case 'v': {
            if (operand.vector_index >= 0) return 0;  // one lane: its width is in the text only
            const bool half = operand.vas == ARM64_VAS_8B || operand.vas == ARM64_VAS_4H ||
                              operand.vas == ARM64_VAS_2S || operand.vas == ARM64_VAS_1D;
            size += half ? 8U : 16U;
            break;
        }
        default: return 0;
        }
    }
    return static_cast<std::uint16_t>(size);
}

Flow arm64Flow(const cs_insn& from) {
    switch (from.id) {
    case ARM64_INS_BL:
    case ARM64_INS_BLR: return Flow::call;
    case ARM64_INS_BR: return Flow::jump;
    case ARM64_INS_B: {
        const arm64_cc condition = from.detail->arm64.cc;
        return condition == ARM64_CC_INVALID || condition == ARM64_CC_AL || condition == ARM64_CC_NV
                   ? Flow::jump
                   : Flow::conditional_jump;
    }
    case ARM64_INS_CBZ:
    case ARM64_INS_CBNZ:
    case ARM64_INS_TBZ:
    case ARM64_INS_TBNZ: return Flow::conditional_jump;
    case ARM64_INS_RET:
    case ARM64_INS_ERET: return Flow::ret;
    case ARM64_INS_BRK:
    case ARM64_INS_HLT: return Flow::trap;
    default: return Flow::next;
    }
}

}  // namespace

void describeArm64(csh handle, const cs_insn& from, Instruction& out) {
    const cs_arm64& arm64 = from.detail->arm64;
    const std::string_view mnemonic = out.mnemonic;
    out.flow = arm64Flow(from);
    const auto operands = std::span(arm64.operands, arm64.op_count);
    if (out.flow == Flow::call || out.flow == Flow::jump || out.flow == Flow::conditional_jump) {
        // The destination is the last operand: cbz x0, #…; tbz w0, #3, #…
        if (!operands.empty() && operands.back().type == ARM64_OP_IMM)
            out.target = static_cast<std::uint64_t>(operands.back().imm);
        if (!operands.empty() && operands.back().type == ARM64_OP_REG) {
            if (const auto known = arm64Register(handle, operands.back().reg))
                out.targetRegister = known->id;
        }
        return;
    }
    const bool load = mnemonic.starts_with("ld");
    const bool store = mnemonic.starts_with("st");
    if (from.id == ARM64_INS_DC && out.operands.starts_with("zva") && operands.size() == 2) {
        MemoryOperand zeroed;  // dc zva: a block's size is in DCZID_EL0
        if (const auto known = arm64Register(handle, operands[1].reg)) {
            zeroed.base = known->id;
            zeroed.write = true;
            zeroed.text = "[" + std::string(splitOperands(out.operands).back()) + "]";
            out.memory.push_back(std::move(zeroed));
        }
        return;
    }
    if (!load && !store) return;
    for (const cs_arm64_op& operand : operands) {
        const bool literal = operand.type == ARM64_OP_IMM && load && operands.size() == 2 &&
                             out.operands.find('[') == std::string::npos;
        if (operand.type != ARM64_OP_MEM && !literal) continue;
        MemoryOperand memory;
        memory.read = load;
        memory.write = store;
        memory.size = arm64AccessSize(handle, mnemonic, arm64);
        if (literal) {  // ldr x0, #0x1040: the address itself
            memory.displacement = operand.imm;
            memory.text = splitOperands(out.operands).back();
            out.memory.push_back(std::move(memory));
            break;
        }
        if (const auto known = arm64Register(handle, operand.mem.base))
            memory.base = known->id;
        else
            memory.computable = false;
        memory.displacement = operand.mem.disp;
        if (operand.mem.index != ARM64_REG_INVALID) {
            if (const auto known = arm64Register(handle, operand.mem.index)) {
                memory.index = known->id;
                if (known->narrow) {
                    memory.extension = operand.ext == ARM64_EXT_SXTW ? IndexExtension::sign32
                                                                     : IndexExtension::zero32;
                }
                if (operand.shift.type == ARM64_SFT_LSL && operand.shift.value < 8)
                    memory.scale = static_cast<std::uint8_t>(1U << operand.shift.value);
            } else if (operand.mem.index != ARM64_REG_XZR && operand.mem.index != ARM64_REG_WZR) {
                memory.computable = false;
            }
        }
        // With write-back ("[x1, #16]!", "[x1], #16") the text reaches to the end.
        if (const auto at = out.operands.rfind('['); at != std::string::npos)
            memory.text = out.operands.substr(at);
        out.memory.push_back(std::move(memory));
        break;
    }
}

namespace {

std::optional<RegisterId> armRegister(csh handle, unsigned reg) {
    const char* raw = reg == ARM_REG_INVALID ? nullptr : cs_reg_name(handle, reg);
    if (raw == nullptr) return std::nullopt;
    const std::string_view name = raw;
    if (name == "sb") return RegisterId{9};
    if (name == "sl") return RegisterId{10};
    if (name == "fp") return RegisterId{11};
    if (name == "ip") return RegisterId{12};
    return registerByName(Arch::arm, name);
}

bool writesPc(csh handle, const cs_arm& arm) {
    return std::ranges::any_of(
        std::span(arm.operands, arm.op_count), [&](const cs_arm_op& operand) {
            return operand.type == ARM_OP_REG && armRegister(handle, operand.reg) == arm::pc &&
                   (operand.access & CS_AC_WRITE) != 0;
        });
}

Flow armFlow(csh handle, const cs_insn& from) {
    const cs_arm& arm = from.detail->arm;
    const bool always = arm.cc == ARM_CC_AL || arm.cc == ARM_CC_INVALID;
    switch (from.id) {
    case ARM_INS_BL:
    case ARM_INS_BLX: return Flow::call;
    case ARM_INS_BX: {
        const bool back = arm.op_count == 1 && arm.operands[0].type == ARM_OP_REG &&
                          armRegister(handle, arm.operands[0].reg) == arm::lr;
        if (!always) return Flow::conditional_jump;
        return back ? Flow::ret : Flow::jump;
    }
    case ARM_INS_B: return always ? Flow::jump : Flow::conditional_jump;
    case ARM_INS_CBZ:
    case ARM_INS_CBNZ: return Flow::conditional_jump;
    case ARM_INS_UDF:
    case ARM_INS_BKPT: return Flow::trap;
    case ARM_INS_POP:
    case ARM_INS_LDM:
        if (writesPc(handle, arm)) return always ? Flow::ret : Flow::conditional_jump;
        return Flow::next;
    case ARM_INS_TBB:
    case ARM_INS_TBH: return Flow::jump;
    default:
        if (writesPc(handle, arm)) return always ? Flow::jump : Flow::conditional_jump;
        return Flow::next;
    }
}

std::uint16_t armAccessSize(const cs_insn& from) {
    switch (from.id) {
    case ARM_INS_LDRB:
    case ARM_INS_LDRSB:
    case ARM_INS_STRB:
    case ARM_INS_LDREXB:
    case ARM_INS_STREXB: return 1;
    case ARM_INS_LDRH:
    case ARM_INS_LDRSH:
    case ARM_INS_STRH:
    case ARM_INS_LDREXH:
    case ARM_INS_STREXH: return 2;
    case ARM_INS_LDRD:
    case ARM_INS_STRD:
    case ARM_INS_LDREXD:
    case ARM_INS_STREXD: return 8;
    case ARM_INS_LDR:
    case ARM_INS_STR:
    case ARM_INS_LDREX:
    case ARM_INS_STREX: return 4;
    default: return 0;
    }
}

/// push, pop, ldm, stm: registers one after another in memory.
void addBlockTransfer(csh handle, const cs_insn& from, bool load, Instruction& out) {
    const cs_arm& arm = from.detail->arm;
    const bool stack = from.id == ARM_INS_PUSH || from.id == ARM_INS_POP;
    std::uint16_t registers = 0;
    std::optional<RegisterId> base = stack ? std::optional<RegisterId>(arm::sp) : std::nullopt;
    for (const cs_arm_op& operand : std::span(arm.operands, arm.op_count)) {
        if (operand.type != ARM_OP_REG) continue;
        if (!base)
            base = armRegister(handle, operand.reg);
        else
            ++registers;
    }
    if (!base) return;
    MemoryOperand memory;
    memory.base = base;
    memory.addressSize = 4;
    memory.size = static_cast<std::uint16_t>(registers * 4);
    memory.read = load;
    memory.write = !load;
    switch (from.id) {
    case ARM_INS_PUSH:
    case ARM_INS_STMDB:
    case ARM_INS_LDMDB: memory.displacement = -static_cast<std::int64_t>(memory.size); break;
    case ARM_INS_LDMIB:
    case ARM_INS_STMIB: memory.displacement = 4; break;
    case ARM_INS_LDMDA:
    case ARM_INS_STMDA: memory.displacement = 4 - static_cast<std::int64_t>(memory.size); break;
    default: break;
    }
    memory.text =
        "[" + std::string(cs_reg_name(handle, stack ? unsigned{ARM_REG_SP} : arm.operands[0].reg)) +
        "]";
    out.memory.push_back(std::move(memory));
}

}  // namespace

void describeArm(csh handle, const cs_insn& from, Instruction& out) {
    const cs_arm& arm = from.detail->arm;
    const auto operands = std::span(arm.operands, arm.op_count);
    out.flow = armFlow(handle, from);
    const bool branches = from.id == ARM_INS_B || from.id == ARM_INS_BL || from.id == ARM_INS_BLX ||
                          from.id == ARM_INS_BX || from.id == ARM_INS_CBZ ||
                          from.id == ARM_INS_CBNZ;
    if (branches && !operands.empty()) {
        const cs_arm_op& last = operands.back();
        if (last.type == ARM_OP_IMM) out.target = static_cast<std::uint32_t>(last.imm);
        if (last.type == ARM_OP_REG) out.targetRegister = armRegister(handle, last.reg);
        return;
    }
    const std::string_view mnemonic = out.mnemonic;
    const bool load = mnemonic.starts_with("ld") || mnemonic.starts_with("pop") ||
                      mnemonic.starts_with("vld") || mnemonic.starts_with("vpop") ||
                      mnemonic.starts_with("tb");
    const bool store = mnemonic.starts_with("st") || mnemonic.starts_with("push") ||
                       mnemonic.starts_with("vst") || mnemonic.starts_with("vpush");
    if (!load && !store) return;
    if (mnemonic.starts_with("push") || mnemonic.starts_with("pop") ||
        mnemonic.starts_with("ldm") || mnemonic.starts_with("stm")) {
        addBlockTransfer(handle, from, load, out);
        return;
    }
    for (const cs_arm_op& operand : operands) {
        if (operand.type != ARM_OP_MEM) continue;
        MemoryOperand memory;
        memory.addressSize = 4;
        memory.read = load;
        memory.write = store;
        memory.size = armAccessSize(from);
        memory.base = armRegister(handle, operand.mem.base);
        // The program counter reads as the instruction's address plus 8 or 4, aligned: not nextPc.
        memory.computable = memory.base.has_value() && memory.base != arm::pc;
        memory.displacement = operand.mem.disp;
        if (operand.mem.index != ARM_REG_INVALID) {
            memory.index = armRegister(handle, operand.mem.index);
            memory.computable = memory.computable && memory.index.has_value() &&
                                (operand.shift.type == ARM_SFT_INVALID ||
                                 (operand.shift.type == ARM_SFT_LSL && operand.shift.value < 8));
            memory.subtractIndex = operand.subtracted || operand.mem.scale < 0;
            if (operand.shift.type == ARM_SFT_LSL && operand.shift.value < 8)
                memory.scale = static_cast<std::uint8_t>(1U << operand.shift.value);
        }
        if (const auto at = out.operands.find('['); at != std::string::npos)
            memory.text = out.operands.substr(at);
        // "[r1], #4" and "[r1], r2": the change comes after the access.
        if (memory.text.find("],") != std::string::npos) {
            memory.displacement = 0;
            memory.index.reset();
        }
        out.memory.push_back(std::move(memory));
    }
}

}  // namespace icecore::disassembly
