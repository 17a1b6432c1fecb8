// x86-64 instructions of AVX-512 that Capstone 4 does not know: those that compare or test into a
// mask register, the moves between masks, and a few more. glibc's string functions are made of
// them, so on a machine with AVX-512 the usual crash in strlen stands on one. Encodings: Intel SDM,
// volume 2, section 2.7 (EVEX) and 2.3 (VEX).
#include <fmt/format.h>

#include <array>

#include "arch/disassembler_capstone.h"
#include "bytes/endian.h"

namespace icecore::disassembly {

namespace {

constexpr std::array<std::string_view, 16> wideNames = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
                                                        "rsi", "rdi", "r8",  "r9",  "r10", "r11",
                                                        "r12", "r13", "r14", "r15"};
constexpr std::array<std::string_view, 16> narrowNames = {
    "eax", "ecx", "edx",  "ebx",  "esp",  "ebp",  "esi",  "edi",
    "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"};

/// Reads an instruction's bytes; any read beyond the end makes the whole fail.
class Bytes {
public:
    explicit Bytes(std::span<const std::byte> code) : code_(code) {}
    std::uint8_t u8() {
        if (at_ >= code_.size()) {
            failed_ = true;
            return 0;
        }
        return std::to_integer<std::uint8_t>(code_[at_++]);
    }
    std::int32_t i32() {
        if (code_.size() - at_ < 4) {
            failed_ = true;
            return 0;
        }
        at_ += 4;
        return loadInteger<std::int32_t>(code_.data() + at_ - 4);
    }
    [[nodiscard]] bool ok() const { return !failed_; }
    [[nodiscard]] std::span<const std::byte> taken() const { return code_.first(at_); }

private:
    std::span<const std::byte> code_;
    std::size_t at_ = 0;
    bool failed_ = false;
};

std::string offsetText(std::int64_t displacement) {
    return displacement < 0 ? fmt::format(" - {:#x}", -displacement)
                            : fmt::format(" + {:#x}", displacement);
}

/// The memory operand of ModRM (mod != 3), reading SIB and displacement. `step` scales a disp8.
MemoryOperand readMemory(Bytes& bytes, std::uint8_t modrm, bool extendBase, bool extendIndex,
                         std::int64_t step) {
    MemoryOperand out;
    const unsigned mod = modrm >> 6;
    unsigned rm = modrm & 7U;
    std::string text;
    bool bare = false;  // no base: a 32-bit displacement follows
    if (rm == 4) {
        const std::uint8_t sib = bytes.u8();
        const unsigned index = (sib >> 3 & 7U) | (extendIndex ? 8U : 0U);
        rm = sib & 7U;
        bare = rm == 5 && mod == 0;
        if (!bare) {
            const auto name = wideNames[rm | (extendBase ? 8U : 0U)];
            out.base = registerByName(Arch::x86_64, name);
            text = name;
        }
        if (index != 4) {
            out.index = registerByName(Arch::x86_64, wideNames[index]);
            out.scale = static_cast<std::uint8_t>(1U << (sib >> 6));
            text += fmt::format("{}{}", text.empty() ? "" : " + ", wideNames[index]);
            if (out.scale > 1) text += fmt::format("*{}", out.scale);
        }
    } else if (rm == 5 && mod == 0) {
        out.base = x64::rip;
        text = "rip";
        bare = true;
    } else {
        const auto name = wideNames[rm | (extendBase ? 8U : 0U)];
        out.base = registerByName(Arch::x86_64, name);
        text = name;
    }
    if (mod == 1) out.displacement = static_cast<std::int8_t>(bytes.u8()) * step;
    if (mod == 2 || bare) out.displacement = bytes.i32();
    if (text.empty())
        text = fmt::format("{:#x}", static_cast<std::uint64_t>(out.displacement));
    else if (out.displacement != 0)
        text += offsetText(out.displacement);
    out.text = "[" + text + "]";
    return out;
}

enum class Element : std::uint8_t { b = 1, w = 2, d = 4, q = 8 };

enum class Shape : std::uint8_t {
    compare,    ///< mask ← vector, vector or memory
    predicate,  ///< the same with the kind of comparison in a last byte
    ternary,    ///< vector ← vector, vector or memory, byte
    broadcast,  ///< vector ← one element
};
struct Row {
    std::uint8_t map, prefix, opcode, wide;  ///< wide: 0, 1, or 2 for either
    std::string_view name;
    Element element;
    Shape shape;
};
// VPCMP*, VPTEST(N)M*, VPTERNLOG* and VPBROADCAST* of the SDM; prefix 1 is 66, 2 is F3.
constexpr auto rows = std::to_array<Row>({
    {1, 1, 0x64, 2, "vpcmpgtb", Element::b, Shape::compare},
    {1, 1, 0x65, 2, "vpcmpgtw", Element::w, Shape::compare},
    {1, 1, 0x66, 0, "vpcmpgtd", Element::d, Shape::compare},
    {1, 1, 0x74, 2, "vpcmpeqb", Element::b, Shape::compare},
    {1, 1, 0x75, 2, "vpcmpeqw", Element::w, Shape::compare},
    {1, 1, 0x76, 0, "vpcmpeqd", Element::d, Shape::compare},
    {2, 1, 0x26, 0, "vptestmb", Element::b, Shape::compare},
    {2, 1, 0x26, 1, "vptestmw", Element::w, Shape::compare},
    {2, 1, 0x27, 0, "vptestmd", Element::d, Shape::compare},
    {2, 1, 0x27, 1, "vptestmq", Element::q, Shape::compare},
    {2, 2, 0x26, 0, "vptestnmb", Element::b, Shape::compare},
    {2, 2, 0x26, 1, "vptestnmw", Element::w, Shape::compare},
    {2, 2, 0x27, 0, "vptestnmd", Element::d, Shape::compare},
    {2, 2, 0x27, 1, "vptestnmq", Element::q, Shape::compare},
    {2, 1, 0x29, 1, "vpcmpeqq", Element::q, Shape::compare},
    {2, 1, 0x37, 1, "vpcmpgtq", Element::q, Shape::compare},
    {3, 1, 0x1e, 0, "vpcmpud", Element::d, Shape::predicate},
    {3, 1, 0x1e, 1, "vpcmpuq", Element::q, Shape::predicate},
    {3, 1, 0x1f, 0, "vpcmpd", Element::d, Shape::predicate},
    {3, 1, 0x1f, 1, "vpcmpq", Element::q, Shape::predicate},
    {3, 1, 0x3e, 0, "vpcmpub", Element::b, Shape::predicate},
    {3, 1, 0x3e, 1, "vpcmpuw", Element::w, Shape::predicate},
    {3, 1, 0x3f, 0, "vpcmpb", Element::b, Shape::predicate},
    {3, 1, 0x3f, 1, "vpcmpw", Element::w, Shape::predicate},
    {3, 1, 0x25, 0, "vpternlogd", Element::d, Shape::ternary},
    {3, 1, 0x25, 1, "vpternlogq", Element::q, Shape::ternary},
    {2, 1, 0x78, 0, "vpbroadcastb", Element::b, Shape::broadcast},
    {2, 1, 0x79, 0, "vpbroadcastw", Element::w, Shape::broadcast},
});

/// "vpcmpub" with predicate 4 is written "vpcmpnequb".
std::string nameOf(const Row& row, std::uint8_t predicate) {
    constexpr std::array<std::string_view, 8> predicates = {"eq",  "lt",  "le",  "false",
                                                            "neq", "nlt", "nle", "true"};
    if (row.shape != Shape::predicate || predicate > 7) return std::string(row.name);
    return fmt::format("vpcmp{}{}", predicates[predicate], row.name.substr(5));
}

std::string_view elementName(unsigned bytes) {
    switch (bytes) {
    case 1: return "byte";
    case 2: return "word";
    case 4: return "dword";
    default: return "qword";
    }
}

std::optional<Instruction> decodeEvex(Bytes bytes, std::uint64_t address) {
    constexpr std::array<std::string_view, 3> vectors = {"xmm", "ymm", "zmm"};
    constexpr std::array<std::string_view, 3> sizes = {"xmmword", "ymmword", "zmmword"};
    (void)bytes.u8();  // 62
    const std::uint8_t p0 = bytes.u8();
    const std::uint8_t p1 = bytes.u8();
    const std::uint8_t p2 = bytes.u8();
    const std::uint8_t opcode = bytes.u8();
    const std::uint8_t modrm = bytes.u8();
    if (!bytes.ok() || (p0 & 8U) != 0 || (p1 & 4U) == 0) return std::nullopt;
    const Row* row = nullptr;
    for (const Row& candidate : rows) {
        if (candidate.map == (p0 & 7U) && candidate.prefix == (p1 & 3U) &&
            candidate.opcode == opcode && (candidate.wide == 2 || candidate.wide == p1 >> 7))
            row = &candidate;
    }
    const unsigned length = p2 >> 5 & 3U;
    if (row == nullptr || length == 3) return std::nullopt;
    const bool toMask = row->shape == Shape::compare || row->shape == Shape::predicate;
    const bool zeroing = (p2 & 0x80U) != 0;
    // A mask destination allows no zeroing, and names one of eight registers.
    if (toMask && (zeroing || (p0 & 0x90U) != 0x90U)) return std::nullopt;
    const bool broadcast = (p2 & 0x10U) != 0;
    const auto elementSize = static_cast<unsigned>(row->element);
    const unsigned vectorSize = 16U << length;
    if (broadcast && (elementSize < 4 || row->shape == Shape::broadcast)) return std::nullopt;

    Instruction out;
    out.address = address;
    std::string last;
    if (modrm >> 6 == 3) {
        if (broadcast) return std::nullopt;
        const unsigned number =
            (modrm & 7U) | ((p0 & 0x20U) != 0 ? 0U : 8U) | ((p0 & 0x40U) != 0 ? 0U : 16U);
        last =
            fmt::format("{}{}", row->shape == Shape::broadcast ? "xmm" : vectors[length], number);
    } else {
        const bool oneElement = broadcast || row->shape == Shape::broadcast;
        const unsigned size = oneElement ? elementSize : vectorSize;
        MemoryOperand memory = readMemory(bytes, modrm, (p0 & 0x20U) == 0, (p0 & 0x40U) == 0, size);
        memory.size = static_cast<std::uint16_t>(size);
        memory.read = true;
        memory.text = fmt::format(
            "{} ptr {}", oneElement ? elementName(elementSize) : sizes[length], memory.text);
        last = memory.text;
        if (broadcast) last += fmt::format("{{1to{}}}", vectorSize / elementSize);
        out.memory.push_back(std::move(memory));
    }
    const bool hasByte = row->shape == Shape::predicate || row->shape == Shape::ternary;
    const std::uint8_t byte = hasByte ? bytes.u8() : std::uint8_t{0};
    if (!bytes.ok()) return std::nullopt;

    out.mnemonic = nameOf(*row, byte);
    const unsigned reg = modrm >> 3 & 7U;
    const unsigned vectorReg = reg | ((p0 & 0x80U) != 0 ? 0U : 8U) | ((p0 & 0x10U) != 0 ? 0U : 16U);
    out.operands =
        toMask ? fmt::format("k{}", reg) : fmt::format("{}{}", vectors[length], vectorReg);
    if (const unsigned mask = p2 & 7U; mask != 0)
        out.operands += fmt::format(" {{k{}}}{}", mask, zeroing ? " {z}" : "");
    if (row->shape != Shape::broadcast) {
        const unsigned first = (~(p1 >> 3) & 15U) | ((p2 & 8U) != 0 ? 0U : 16U);
        out.operands += fmt::format(", {}{}", vectors[length], first);
    }
    out.operands += ", " + last;
    if (row->shape == Shape::ternary || (hasByte && byte > 7))
        out.operands += fmt::format(", {:#x}", byte);
    out.bytes.assign(bytes.taken().begin(), bytes.taken().end());
    return out;
}

/// Mask registers between each other and to and from general ones: no memory is touched.
std::optional<Instruction> decodeMaskMove(Bytes bytes, std::uint64_t address) {
    const std::uint8_t lead = bytes.u8();
    const std::uint8_t second = bytes.u8();
    bool wide = false;
    bool extendReg = (second & 0x80U) == 0;
    bool extendRm = false;
    std::uint8_t fields = second;
    if (lead == 0xc4) {
        if ((second & 0x1fU) != 1) return std::nullopt;
        extendRm = (second & 0x20U) == 0;
        fields = bytes.u8();
        wide = (fields & 0x80U) != 0;
    }
    const std::uint8_t opcode = bytes.u8();
    const std::uint8_t modrm = bytes.u8();
    if (!bytes.ok() || modrm >> 6 != 3) return std::nullopt;
    const unsigned prefix = fields & 3U;
    const bool long256 = (fields & 4U) != 0;
    const unsigned reg = modrm >> 3 & 7U;
    const unsigned rm = modrm & 7U;
    const unsigned middle = ~(fields >> 3) & 7U;
    const bool noMiddle = (fields & 0x78U) == 0x78U;
    Instruction out;
    out.address = address;
    // kmovb/w/d/q: the prefix and W choose the width; for general registers F2 means d or q.
    if (noMiddle && !long256 && (opcode == 0x92 || opcode == 0x93) && prefix != 2) {
        constexpr std::array<std::string_view, 4> names = {"kmovw", "kmovb", "", "kmovd"};
        const bool quad = prefix == 3 && wide;
        if (wide && !quad) return std::nullopt;
        out.mnemonic = quad ? "kmovq" : std::string(names[prefix]);
        const auto& general = quad ? wideNames : narrowNames;
        out.operands = opcode == 0x93
                           ? fmt::format("{}, k{}", general[reg | (extendReg ? 8U : 0U)], rm)
                           : fmt::format("k{}, {}", reg, general[rm | (extendRm ? 8U : 0U)]);
    } else {
        // Suffix by prefix and W: none b w, 66 → b/d, none → w/q.
        if (prefix > 1) return std::nullopt;
        const char suffix = prefix == 1 ? (wide ? 'd' : 'b') : (wide ? 'q' : 'w');
        std::string_view name;
        switch (opcode) {
        case 0x41: name = "kand"; break;
        case 0x42: name = "kandn"; break;
        case 0x45: name = "kor"; break;
        case 0x46: name = "kxnor"; break;
        case 0x47: name = "kxor"; break;
        case 0x4a: name = "kadd"; break;
        case 0x90: name = "kmov"; break;
        case 0x98: name = "kortest"; break;
        case 0x99: name = "ktest"; break;
        case 0x44: name = "knot"; break;
        case 0x4b: {
            if (!long256) return std::nullopt;
            const std::string_view unpack = prefix == 1 ? "kunpckbw"
                                            : wide      ? "kunpckdq"
                                                        : "kunpckwd";
            out.mnemonic = unpack;
            out.operands = fmt::format("k{}, k{}, k{}", reg, middle, rm);
            break;
        }
        default: return std::nullopt;
        }
        if (out.mnemonic.empty()) {
            const bool threeOperands = opcode >= 0x41 && opcode <= 0x4a && opcode != 0x44;
            if (threeOperands != long256 || (!threeOperands && !noMiddle)) return std::nullopt;
            out.mnemonic = fmt::format("{}{}", name, suffix);
            out.operands = threeOperands ? fmt::format("k{}, k{}, k{}", reg, middle, rm)
                                         : fmt::format("k{}, k{}", reg, rm);
        }
    }
    out.bytes.assign(bytes.taken().begin(), bytes.taken().end());
    return out;
}

}  // namespace

std::optional<Instruction> decodeNewerX86(std::span<const std::byte> code, std::uint64_t address) {
    if (code.size() < 3) return std::nullopt;
    switch (std::to_integer<unsigned>(code[0])) {
    case 0x62: return decodeEvex(Bytes(code), address);
    case 0xc4:
    case 0xc5: return decodeMaskMove(Bytes(code), address);
    case 0x0f: {
        // rdpkru, wrpkru: access rights of protection keys.
        const unsigned last = std::to_integer<unsigned>(code[2]);
        if (std::to_integer<unsigned>(code[1]) != 0x01 || (last != 0xee && last != 0xef))
            return std::nullopt;
        Instruction out;
        out.address = address;
        out.mnemonic = last == 0xee ? "rdpkru" : "wrpkru";
        out.bytes.assign(code.begin(), code.begin() + 3);
        return out;
    }
    default: return std::nullopt;
    }
}

}  // namespace icecore::disassembly
