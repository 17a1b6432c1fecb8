// arm64 instructions from ARMv8.1 to 8.5 that Capstone 4 does not know, as today's compilers and
// libc use them: atomics, pointer authentication, branch targets, udf.
// Encodings: Arm Architecture Reference Manual for A-profile (DDI 0487), chapter C4.
#include <fmt/format.h>

#include <array>

#include "arch/disassembler_capstone.h"

namespace icecore::disassembly {

namespace {

std::string generalRegister(unsigned number, bool wide) {
    if (number == 31) return wide ? "xzr" : "wzr";
    return fmt::format("{}{}", wide ? 'x' : 'w', number);
}
std::string baseRegister(unsigned number) {
    return number == 31 ? std::string("sp") : fmt::format("x{}", number);
}

void accessThrough(Instruction& out, unsigned base, unsigned bytes, bool write) {
    MemoryOperand memory;
    memory.base = static_cast<RegisterId>(base);  // 31 is sp both in the encoding and in our table
    memory.size = static_cast<std::uint16_t>(bytes);
    memory.read = true;
    memory.write = write;
    memory.text = "[" + baseRegister(base) + "]";
    out.memory.push_back(std::move(memory));
}

/// "a" and "l" for acquire and release, then "b" or "h" for narrow ones.
std::string orderAndSize(bool acquire, bool release, unsigned sizeLog) {
    constexpr std::array<std::string_view, 4> narrow = {"b", "h", "", ""};
    return fmt::format("{}{}{}", acquire ? "a" : "", release ? "l" : "", narrow[sizeLog]);
}

bool decodeAtomic(std::uint32_t word, Instruction& out) {
    const unsigned sizeLog = word >> 30;
    const unsigned rs = word >> 16 & 31;
    const unsigned rn = word >> 5 & 31;
    const unsigned rt = word & 31;
    const bool wide = sizeLog == 3;
    const std::string source = generalRegister(rs, wide);
    const std::string destination = generalRegister(rt, wide);
    if ((word & 0x3fa07c00U) == 0x08a07c00U) {
        out.mnemonic = "cas" + orderAndSize((word >> 22 & 1) != 0, (word >> 15 & 1) != 0, sizeLog);
        out.operands = fmt::format("{}, {}, [{}]", source, destination, baseRegister(rn));
        accessThrough(out, rn, 1U << sizeLog, true);
        return true;
    }
    if ((word & 0xbfa07c00U) == 0x08207c00U && rs % 2 == 0 && rt % 2 == 0) {
        const bool pairOfX = (word >> 30 & 1) != 0;
        out.mnemonic = "casp" + orderAndSize((word >> 22 & 1) != 0, (word >> 15 & 1) != 0, 3);
        out.operands = fmt::format("{}, {}, {}, {}, [{}]", generalRegister(rs, pairOfX),
                                   generalRegister(rs + 1, pairOfX), generalRegister(rt, pairOfX),
                                   generalRegister(rt + 1, pairOfX), baseRegister(rn));
        accessThrough(out, rn, pairOfX ? 16 : 8, true);
        return true;
    }
    if ((word & 0x3f200c00U) != 0x38200000U) return false;
    const bool acquire = (word >> 23 & 1) != 0;
    const bool release = (word >> 22 & 1) != 0;
    const unsigned operation = word >> 12 & 7;
    if ((word >> 15 & 1) == 0) {
        constexpr std::array<std::string_view, 8> names = {"ldadd",  "ldclr",  "ldeor",  "ldset",
                                                           "ldsmax", "ldsmin", "ldumax", "ldumin"};
        out.mnemonic = std::string(names[operation]) + orderAndSize(acquire, release, sizeLog);
    } else if (operation == 0) {
        out.mnemonic = "swp" + orderAndSize(acquire, release, sizeLog);
    } else if (operation == 4 && acquire && !release && rs == 31) {
        out.mnemonic = "ldapr" + orderAndSize(false, false, sizeLog);
        out.operands = fmt::format("{}, [{}]", destination, baseRegister(rn));
        accessThrough(out, rn, 1U << sizeLog, false);
        return true;
    } else {
        return false;
    }
    out.operands = fmt::format("{}, {}, [{}]", source, destination, baseRegister(rn));
    accessThrough(out, rn, 1U << sizeLog, true);
    return true;
}

bool decodeHint(std::uint32_t word, Instruction& out) {
    if ((word & 0xfffff01fU) != 0xd503201fU) return false;
    switch (word >> 5 & 0x7f) {
    case 7: out.mnemonic = "xpaclri"; return true;
    case 8: out.mnemonic = "pacia1716"; return true;
    case 10: out.mnemonic = "pacib1716"; return true;
    case 12: out.mnemonic = "autia1716"; return true;
    case 14: out.mnemonic = "autib1716"; return true;
    case 24: out.mnemonic = "paciaz"; return true;
    case 25: out.mnemonic = "paciasp"; return true;
    case 26: out.mnemonic = "pacibz"; return true;
    case 27: out.mnemonic = "pacibsp"; return true;
    case 28: out.mnemonic = "autiaz"; return true;
    case 29: out.mnemonic = "autiasp"; return true;
    case 30: out.mnemonic = "autibz"; return true;
    case 31: out.mnemonic = "autibsp"; return true;
    case 32: out.mnemonic = "bti"; return true;
    case 34:
        out.mnemonic = "bti";
        out.operands = "c";
        return true;
    case 36:
        out.mnemonic = "bti";
        out.operands = "j";
        return true;
    case 38:
        out.mnemonic = "bti";
        out.operands = "jc";
        return true;
    default: return false;
    }
}

/// Returns and branches that authenticate their target.
bool decodeAuthenticatedBranch(std::uint32_t word, Instruction& out) {
    if (word == 0xd65f0bffU || word == 0xd65f0fffU) {
        out.mnemonic = word == 0xd65f0bffU ? "retaa" : "retab";
        out.flow = Flow::ret;
        return true;
    }
    const bool withModifier = (word & 0xffdff800U) == 0xd71f0800U;
    const bool withZero = (word & 0xffdff81fU) == 0xd61f081fU;
    if (!withModifier && !withZero) return false;
    const bool call = (word >> 21 & 1) != 0;
    const char key = (word >> 10 & 1) != 0 ? 'b' : 'a';
    const unsigned rn = word >> 5 & 31;
    const unsigned rm = word & 31;
    out.mnemonic = fmt::format("{}ra{}{}", call ? "bl" : "b", key, withZero ? "z" : "");
    out.operands = generalRegister(rn, true);
    if (withModifier) out.operands += ", " + baseRegister(rm);
    out.flow = call ? Flow::call : Flow::jump;
    if (rn != 31) out.targetRegister = static_cast<RegisterId>(rn);
    return true;
}

}  // namespace

std::optional<Instruction> decodeNewerArm64(std::uint32_t word, std::uint64_t address) {
    Instruction out;
    out.address = address;
    if (word >> 16 == 0) {
        out.mnemonic = "udf";
        out.operands = fmt::format("#{:#x}", word);
        out.flow = Flow::trap;
        return out;
    }
    if (decodeAtomic(word, out) || decodeHint(word, out) || decodeAuthenticatedBranch(word, out))
        return out;
    return std::nullopt;
}

}  // namespace icecore::disassembly
