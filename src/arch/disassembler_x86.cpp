// x86 and x86-64. Semantics: Intel SDM, volume 2. Capstone tells operands and sizes; which of them
// are read and written it tells wrongly for many stores (vmovdqu [rdi], cmpxchg…), so that is
// decided here.
#include <algorithm>
#include <array>

#include "arch/disassembler_capstone.h"

namespace icecore::disassembly {

namespace {

struct KnownRegister {
    RegisterId id;
    std::uint8_t size;  ///< bytes
};

/// Our register for a Capstone one that can stand in an address.
std::optional<KnownRegister> addressRegister(csh handle, unsigned reg, Arch arch) {
    if (reg == X86_REG_INVALID || reg == X86_REG_EIZ || reg == X86_REG_RIZ) return std::nullopt;
    const char* raw = cs_reg_name(handle, reg);
    if (raw == nullptr) return std::nullopt;
    std::string name = raw;
    if (const auto id = registerByName(arch, name))
        return KnownRegister{*id, arch == Arch::x86_64 ? std::uint8_t{8} : std::uint8_t{4}};
    if (arch != Arch::x86_64) return std::nullopt;
    // The lower halves: eax … edi, eip and r8d … r15d.
    if (name.starts_with('e'))
        name.front() = 'r';
    else if (name.starts_with('r') && name.ends_with('d'))
        name.pop_back();
    else
        return std::nullopt;
    if (const auto id = registerByName(arch, name)) return KnownRegister{*id, 4};
    return std::nullopt;
}

/// Capstone 4 names the index register of an EVEX instruction xmmN where the V' bit is set for the
/// vector operand: right for gathers and scatters only ("vpxorq ymm17, ymm17, [rdi + xmm2 -
/// 0x40]").
bool isMisnamedIndex(const cs_insn& from, unsigned reg) {
    const std::string_view mnemonic = from.mnemonic;
    return reg >= X86_REG_XMM0 && reg <= X86_REG_XMM31 &&
           mnemonic.find("gather") == std::string_view::npos &&
           mnemonic.find("scatter") == std::string_view::npos;
}

unsigned generalForVector(unsigned reg) {
    constexpr std::array<unsigned, 16> general = {
        X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX, X86_REG_RSP, X86_REG_RBP,
        X86_REG_RSI, X86_REG_RDI, X86_REG_R8,  X86_REG_R9,  X86_REG_R10, X86_REG_R11,
        X86_REG_R12, X86_REG_R13, X86_REG_R14, X86_REG_R15};
    return general[(reg - X86_REG_XMM0) & 15U];
}

bool isNone(unsigned reg) {
    return reg == X86_REG_INVALID || reg == X86_REG_EIZ || reg == X86_REG_RIZ;
}

MemoryOperand explicitOperand(csh handle, const cs_x86_op& from, Arch arch) {
    MemoryOperand out;
    out.displacement = from.mem.disp;
    out.size = from.size;
    out.scale = static_cast<std::uint8_t>(from.mem.scale);
    out.addressSize = arch == Arch::x86_64 ? 8 : 4;
    if (!isNone(from.mem.base)) {
        if (const auto known = addressRegister(handle, from.mem.base, arch)) {
            out.base = known->id;
            out.addressSize = known->size;
        } else {
            out.computable = false;
        }
    }
    if (!isNone(from.mem.index)) {
        if (const auto known = addressRegister(handle, from.mem.index, arch)) {
            out.index = known->id;
            out.addressSize = known->size;
        } else {
            out.computable = false;  // a vector of indices (gather, scatter), or 16-bit addressing
        }
    }
    switch (from.mem.segment) {
    case X86_REG_FS:
    case X86_REG_GS:
        if (arch == Arch::x86_64) {
            out.segmentBase = from.mem.segment == X86_REG_FS ? x64::fs_base : x64::gs_base;
        } else {
            out.computable = false;  // the descriptor's base is not among the registers
        }
        break;
    default: break;  // the others are flat
    }
    return out;
}

/// A vector instruction whose memory operand stands first stores to it, but for these.
bool isVectorStore(const cs_insn& from) {
    switch (from.id) {
    case X86_INS_LDMXCSR:
    case X86_INS_VLDMXCSR:
    case X86_INS_CLFLUSH:
    case X86_INS_CLFLUSHOPT: return false;
    default: break;
    }
    constexpr auto vector = std::to_array<unsigned>(
        {X86_GRP_SSE1,  X86_GRP_SSE2, X86_GRP_SSE3, X86_GRP_SSE41,  X86_GRP_SSE42, X86_GRP_SSE4A,
         X86_GRP_SSSE3, X86_GRP_AVX,  X86_GRP_AVX2, X86_GRP_AVX512, X86_GRP_F16C,  X86_GRP_MMX,
         X86_GRP_VLX,   X86_GRP_BWI,  X86_GRP_DQI,  X86_GRP_CDI,    X86_GRP_ERI,   X86_GRP_PFI,
         X86_GRP_FMA,   X86_GRP_FMA4, X86_GRP_XOP});
    return std::ranges::any_of(vector, [&](unsigned group) { return inGroup(from, group); });
}

/// Instructions that name an address and touch nothing there that could fault.
bool touchesNothing(unsigned id) {
    switch (id) {
    case X86_INS_LEA:
    case X86_INS_NOP:
    case X86_INS_PREFETCH:
    case X86_INS_PREFETCHW:
    case X86_INS_PREFETCHNTA:
    case X86_INS_PREFETCHT0:
    case X86_INS_PREFETCHT1:
    case X86_INS_PREFETCHT2:
    case X86_INS_INVLPG: return true;
    default: return false;
    }
}

void decideAccess(const cs_insn& from, const cs_x86_op& operand, bool first, MemoryOperand& out) {
    out.read = (operand.access & CS_AC_READ) != 0;
    out.write = (operand.access & CS_AC_WRITE) != 0;
    switch (from.id) {
    case X86_INS_TEST:
    case X86_INS_CMP:
        out.read = true;
        out.write = false;
        return;
    case X86_INS_CMPXCHG:
    case X86_INS_CMPXCHG8B:
    case X86_INS_CMPXCHG16B:
    case X86_INS_XADD:
    case X86_INS_XCHG: out.read = out.write = true; return;
    case X86_INS_FXRSTOR:
    case X86_INS_FXRSTOR64:
    case X86_INS_XRSTOR:
    case X86_INS_XRSTOR64:
        out.read = true;
        out.write = false;
        return;
    default: break;
    }
    if (first && isVectorStore(from)) {
        out.read = false;
        out.write = true;
    }
    if (!out.read && !out.write) out.read = true;
}

/// What the instruction does on the stack, or in memory it does not name.
void addImplicit(const cs_insn& from, Arch arch, Instruction& out) {
    const bool wide = arch == Arch::x86_64;
    const std::uint8_t word = wide ? 8 : 4;
    const RegisterId sp = wide ? RegisterId{x64::rsp} : RegisterId{x86::esp};
    const RegisterId bp = wide ? RegisterId{x64::rbp} : RegisterId{x86::ebp};
    const std::string size = wide ? "qword" : "dword";
    const std::string spName = wide ? "rsp" : "esp";
    const auto add = [&](RegisterId base, std::int64_t displacement, std::uint16_t bytes,
                         bool write, std::string text) {
        MemoryOperand operand;
        operand.base = base;
        operand.displacement = displacement;
        operand.addressSize = word;
        operand.size = bytes;
        operand.read = !write;
        operand.write = write;
        operand.text = std::move(text);
        out.memory.push_back(std::move(operand));
    };
    const auto pushed = [&] {
        add(sp, -std::int64_t{word}, word, true,
            size + " ptr [" + spName + (wide ? " - 8]" : " - 4]"));
    };
    const auto popped = [&] { add(sp, 0, word, false, size + " ptr [" + spName + "]"); };
    switch (from.id) {
    case X86_INS_PUSH:
    case X86_INS_PUSHF:
    case X86_INS_PUSHFD:
    case X86_INS_PUSHFQ:
    case X86_INS_CALL:
    case X86_INS_LCALL:
    case X86_INS_ENTER: pushed(); break;
    case X86_INS_POP:
    case X86_INS_POPF:
    case X86_INS_POPFD:
    case X86_INS_POPFQ:
    case X86_INS_RET:
    case X86_INS_RETF:
    case X86_INS_RETFQ:
    case X86_INS_IRETD:
    case X86_INS_IRETQ: popped(); break;
    case X86_INS_LEAVE: add(bp, 0, word, false, size + " ptr [" + (wide ? "rbp]" : "ebp]")); break;
    case X86_INS_PUSHAW:
    case X86_INS_PUSHAL: add(sp, -32, 32, true, "[esp - 0x20]"); break;
    case X86_INS_POPAW:
    case X86_INS_POPAL: add(sp, 0, 32, false, "[esp]"); break;
    case X86_INS_MASKMOVDQU:
    case X86_INS_VMASKMOVDQU:
    case X86_INS_MASKMOVQ:
        add(wide ? RegisterId{x64::rdi} : RegisterId{x86::edi}, 0,
            from.id == X86_INS_MASKMOVQ ? 8 : 16, true, wide ? "[rdi]" : "[edi]");
        break;
    case X86_INS_XLATB:
        // rbx plus the lowest byte of rax, which no operand of ours can say.
        add(wide ? RegisterId{x64::rbx} : RegisterId{x86::ebx}, 0, 1, false,
            wide ? "byte ptr [rbx + al]" : "byte ptr [ebx + al]");
        out.memory.back().computable = false;
        break;
    default: break;
    }
}

/// 0F B9, which Capstone calls so since its version 5.
#if CS_API_MAJOR >= 5
constexpr x86_insn ud1 = X86_INS_UD1;
#else
constexpr x86_insn ud1 = X86_INS_UD2B;
#endif

Flow flowOf(const cs_insn& from) {
    switch (from.id) {
    case X86_INS_CALL:
    case X86_INS_LCALL: return Flow::call;
    case X86_INS_JMP:
    case X86_INS_LJMP: return Flow::jump;
    case X86_INS_RET:
    case X86_INS_RETF:
    case X86_INS_RETFQ:
    case X86_INS_IRET:
    case X86_INS_IRETD:
    case X86_INS_IRETQ: return Flow::ret;
    case X86_INS_UD0:
    case X86_INS_UD2:
    case ud1:
    case X86_INS_INT3:
    case X86_INS_INT1:
    case X86_INS_HLT: return Flow::trap;
    case X86_INS_LOOP:
    case X86_INS_LOOPE:
    case X86_INS_LOOPNE: return Flow::conditional_jump;
    case X86_INS_INT: {
        // 0x80 and 0x2e are system calls and come back; 0x29 is Windows' __fastfail.
        const cs_x86& x86 = from.detail->x86;
        return x86.op_count == 1 && x86.operands[0].imm == 0x29 ? Flow::trap : Flow::next;
    }
    default: return inGroup(from, CS_GRP_JUMP) ? Flow::conditional_jump : Flow::next;
    }
}

}  // namespace

void describeX86(csh handle, const cs_insn& from, Arch arch, Instruction& out) {
    const cs_x86& x86 = from.detail->x86;
    out.flow = flowOf(from);
    const bool transfers =
        out.flow == Flow::call || out.flow == Flow::jump || out.flow == Flow::conditional_jump;
    if (transfers && x86.op_count == 1) {
        const cs_x86_op& operand = x86.operands[0];
        if (operand.type == X86_OP_IMM) {
            out.target = static_cast<std::uint64_t>(operand.imm);
            if (arch == Arch::x86) *out.target &= UINT32_MAX;
        } else if (operand.type == X86_OP_REG) {
            if (const auto known = addressRegister(handle, operand.reg, arch))
                out.targetRegister = known->id;
        }
    }
    std::vector<cs_x86_op> operands(
        x86.operands, x86.operands + std::min<std::size_t>(x86.op_count, std::size(x86.operands)));
    for (cs_x86_op& operand : operands) {
        if (operand.type != X86_OP_MEM || !isMisnamedIndex(from, operand.mem.index)) continue;
        const std::string wrong = cs_reg_name(handle, operand.mem.index);
        operand.mem.index = static_cast<x86_reg>(generalForVector(operand.mem.index));
        const auto bracket = out.operands.find('[');
        const auto at = bracket == std::string::npos ? bracket : out.operands.find(wrong, bracket);
        if (at != std::string::npos)
            out.operands.replace(at, wrong.size(), cs_reg_name(handle, operand.mem.index));
    }
    if (!touchesNothing(from.id)) {
        const auto texts = splitOperands(out.operands);
        for (std::size_t i = 0; i < operands.size(); ++i) {
            const cs_x86_op& operand = operands[i];
            if (operand.type != X86_OP_MEM) continue;
            MemoryOperand memory = explicitOperand(handle, operand, arch);
            if (i < texts.size()) memory.text = texts[i];
            decideAccess(from, operand, i == 0, memory);
            if (from.id == X86_INS_POP && memory.base == archInfo(arch).sp)
                memory.displacement += operand.size;  // the address is taken after the pop
            out.memory.push_back(std::move(memory));
        }
    }
    addImplicit(from, arch, out);
}

}  // namespace icecore::disassembly
