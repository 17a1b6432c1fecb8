#include "unwind/pe_codes_arm64.h"

#include <array>
#include <span>
#include <utility>

#include "arch/registers.h"
#include "bytes/endian.h"

namespace icecore {

namespace {

using Code = Arm64UnwindCode;
using Kind = Code::Kind;

constexpr std::uint8_t firstSaved = 19;  // x19

/// Packed unwind data: what the compiler's usual prologue looks like is told by a few numbers.
std::optional<Arm64UnwindList> expandPacked(std::uint32_t word) {
    Arm64UnwindList list;
    list.length = (word >> 2U & 0x7ffU) * arm64InstructionSize;
    const bool fragment = (word & 3U) == 2;  // neither prologue nor epilogue here
    const std::uint32_t vectors = word >> 13U & 7U;
    const std::uint32_t integers = word >> 16U & 15U;
    const bool homes = (word >> 20U & 1U) != 0;
    const std::uint32_t chain = word >> 21U & 3U;  // 1: lr saved, 2: fp and signed lr, 3: fp and lr
    const std::uint32_t frame = (word >> 23U & 0x1ffU) * 16;
    constexpr std::uint32_t mostIntegers = 10, longestPreIndex = 512, longestSub = 4080;
    if (integers > mostIntegers) return std::nullopt;
    const std::uint32_t integerBytes = integers * 8 + (chain == 1 ? 8 : 0);
    const std::uint32_t vectorBytes = vectors != 0 ? vectors * 8 + 8 : 0;
    const std::uint32_t saved = (integerBytes + vectorBytes + (homes ? 64 : 0) + 15) / 16 * 16;
    if (saved > frame) return std::nullopt;
    const std::uint32_t locals = frame - saved;

    // In the order of the prologue; turned around below.
    std::vector<Code> order;
    std::uint32_t lower = saved;  // the first save lowers the stack pointer for all
    const auto save = [&](Kind kind, std::uint32_t reg, std::uint32_t offset) {
        order.push_back({kind, static_cast<std::uint8_t>(reg), std::exchange(lower, 0), offset});
    };
    if (chain == 2) order.push_back({Kind::sign_link});
    for (std::uint32_t i = 0; i + 1 < integers; i += 2)
        save(Kind::save_pair, firstSaved + i, i * 8);
    const bool odd = integers % 2 != 0;
    if (odd && chain == 1)
        save(Kind::save_with_link, firstSaved + integers - 1, integers * 8 - 8);
    else if (odd)
        save(Kind::save_one, firstSaved + integers - 1, integers * 8 - 8);
    else if (chain == 1)
        save(Kind::save_one, arm64::lr, integerBytes - 8);
    if (vectors != 0) {
        for (std::uint32_t i = 0; i + 1 < vectors + 1; i += 2)
            save(Kind::nothing, 0, 0);
        if ((vectors + 1) % 2 != 0) save(Kind::nothing, 0, 0);
    }
    if (homes) {
        for (int i = 0; i < 4; ++i) {
            save(Kind::nothing, 0, 0);
            // Epilogues need not load what was homed, but where it was what lowered the stack.
            order.back().inEpilogue = order.back().size != 0;
        }
    }
    const bool chained = chain >= 2;
    if (chained && locals <= longestPreIndex) {
        order.push_back({Kind::save_frame, 0, locals, 0});
    } else {
        if (locals > longestSub) order.push_back({Kind::allocate, 0, longestSub, 0});
        const std::uint32_t rest = locals > longestSub ? locals - longestSub : locals;
        if (rest != 0) order.push_back({Kind::allocate, 0, rest, 0});
        if (chained) order.push_back({Kind::save_frame, 0, 0, 0});
    }
    if (chained) {
        order.push_back({Kind::set_frame});
        // Without alloca the stack pointer is still right.
        order.back().inEpilogue = false;
    }
    list.codes.assign(order.rbegin(), order.rend());
    if (fragment) return list;
    list.prologue = static_cast<std::uint32_t>(order.size());
    std::uint32_t instructions = 1;  // ret
    for (const Code& code : list.codes)
        instructions += code.inEpilogue ? 1 : 0;
    const std::uint32_t bytes = instructions * arm64InstructionSize;
    if (bytes <= list.length) list.epilogues.push_back({list.length - bytes, 0, instructions});
    return list;
}

/// Bytes of the code that begins with `first` (the documentation's table).
std::size_t codeSize(std::uint8_t first) {
    if (first < 0xc0) return 1;
    if (first < 0xe0) return 2;
    if (first == 0xe0) return 4;
    if (first == 0xe2) return 2;
    if (first == 0xe7) return 3;
    return 1;
}

/// save_any_reg: pair, pre-indexed, register, kind of register, offset.
Code anyRegister(std::uint8_t second, std::uint8_t third) {
    const bool pair = (second & 0x40U) != 0, lowers = (second & 0x20U) != 0;
    const std::uint32_t bank = third >> 6U;
    const std::uint32_t step = pair || lowers || bank == 2 ? 16 : 8;
    const std::uint32_t bytes = (third & 0x3fU) * step;
    Code code;
    code.kind = bank != 0 ? Kind::nothing : pair ? Kind::save_pair : Kind::save_one;
    code.reg = second & 0x1fU;
    if (lowers)
        code.size = bytes + 16;
    else
        code.offset = bytes;
    return code;
}

Code readCode(std::span<const std::byte> bytes) {
    const auto byte = [&](std::size_t i) { return std::to_integer<std::uint32_t>(bytes[i]); };
    const std::uint32_t first = byte(0);
    if (first < 0x20) return {Kind::allocate, 0, first * 16, 0};
    if (first < 0x40) return {Kind::save_pair, firstSaved, (first & 0x1fU) * 8, 0};
    if (first < 0x80) return {Kind::save_frame, 0, 0, (first & 0x3fU) * 8};
    if (first < 0xc0) return {Kind::save_frame, 0, ((first & 0x3fU) + 1) * 8, 0};
    if (first < 0xe0) {
        const std::uint32_t both = first << 8U | byte(1);
        const std::uint32_t offset = (both & 0x3fU) * 8;
        const auto reg = static_cast<std::uint8_t>(firstSaved + (both >> 6U & 15U));
        if (first < 0xc8) return {Kind::allocate, 0, (both & 0x7ffU) * 16, 0};
        if (first < 0xcc) return {Kind::save_pair, reg, 0, offset};
        if (first < 0xd0) return {Kind::save_pair, reg, offset + 8, 0};
        if (first < 0xd4) return {Kind::save_one, reg, 0, offset};
        if (first < 0xd6) {
            const auto one = static_cast<std::uint8_t>(firstSaved + (both >> 5U & 15U));
            return {Kind::save_one, one, (both & 0x1fU) * 8 + 8, 0};
        }
        if (first < 0xd8) {
            const auto one = static_cast<std::uint8_t>(firstSaved + 2 * (both >> 6U & 7U));
            return {Kind::save_with_link, one, 0, offset};
        }
        // Vector registers: what they lower the stack by counts.
        if (first < 0xda || (first >= 0xdc && first < 0xde)) return {Kind::nothing};
        if (first < 0xdc) return {Kind::nothing, 0, offset + 8, 0};
        if (first == 0xde) return {Kind::nothing, 0, (both & 0x1fU) * 8 + 8, 0};
        return {Kind::unknown};  // alloc_z: by the length of scalable vectors
    }
    switch (first) {
    case 0xe0: return {Kind::allocate, 0, (byte(1) << 16U | byte(2) << 8U | byte(3)) * 16, 0};
    case 0xe1: return {Kind::set_frame};
    case 0xe2: return {Kind::set_frame, 0, byte(1) * 8, 0};
    case 0xe3: return {Kind::nothing};
    case 0xe4: return {Kind::end};
    case 0xe5: return {Kind::end_of_part};
    case 0xe6: return {Kind::save_next};
    case 0xe7:
        return anyRegister(static_cast<std::uint8_t>(byte(1)), static_cast<std::uint8_t>(byte(2)));
    case 0xe8: return {Kind::trap_frame};
    case 0xe9: return {Kind::machine_frame};
    case 0xea: return {Kind::context};
    case 0xec: return {Kind::nothing};  // MSFT_OP_CLEAR_UNWOUND_TO_CALL
    case 0xfc: return {Kind::sign_link};
    default: return {Kind::unknown};
    }
}

/// Where in the list each code byte's code is: epilogues name theirs by byte.
std::optional<Arm64UnwindList> readRecord(const PeFunction& function, const CodeMap& map) {
    const std::uint64_t at = function.base + function.unwind;
    std::array<std::byte, 8> head{};
    if (map.read(at, std::span(head).first(4)) != 4) return std::nullopt;
    const auto word = loadInteger<std::uint32_t>(head.data());
    Arm64UnwindList list;
    list.length = (word & 0x3ffffU) * arm64InstructionSize;
    if ((word >> 18U & 3U) != 0) return std::nullopt;  // a version that we do not know
    const bool oneEpilogue = (word >> 21U & 1U) != 0;
    std::uint32_t epilogues = word >> 22U & 31U;
    std::uint32_t words = word >> 27U & 31U;
    std::uint64_t next = at + 4;
    if (epilogues == 0 && words == 0) {
        if (map.read(next, std::span(head).first(4)) != 4) return std::nullopt;
        const auto more = loadInteger<std::uint32_t>(head.data());
        epilogues = more & 0xffffU;
        words = more >> 16U & 0xffU;
        next += 4;
    }
    std::vector<std::byte> scopes(oneEpilogue ? 0 : std::size_t{epilogues} * 4);
    std::vector<std::byte> bytes(std::size_t{words} * 4);
    if (map.read(next, scopes) != scopes.size() ||
        map.read(next + scopes.size(), bytes) != bytes.size())
        return std::nullopt;

    std::vector<std::uint32_t> codeAt(bytes.size(), UINT32_MAX);
    bool inPrologue = true;
    for (std::size_t i = 0; i < bytes.size();) {
        const std::size_t size = codeSize(std::to_integer<std::uint8_t>(bytes[i]));
        if (i + size > bytes.size()) break;
        codeAt[i] = static_cast<std::uint32_t>(list.codes.size());
        list.codes.push_back(readCode(std::span(bytes).subspan(i, size)));
        const Kind kind = list.codes.back().kind;
        if (kind == Kind::end || kind == Kind::end_of_part) inPrologue = false;
        if (inPrologue) ++list.prologue;
        i += size;
    }
    const auto addEpilogue = [&](std::uint32_t byte, std::optional<std::uint32_t> begin) {
        if (byte >= codeAt.size() || codeAt[byte] == UINT32_MAX) return;
        Arm64UnwindList::Epilogue epilogue;
        epilogue.first = codeAt[byte];
        epilogue.instructions = 1;  // ret
        for (std::size_t i = epilogue.first; i < list.codes.size(); ++i) {
            const Kind kind = list.codes[i].kind;
            if (kind == Kind::end || kind == Kind::end_of_part) break;
            ++epilogue.instructions;
        }
        const std::uint32_t bytesLong = epilogue.instructions * arm64InstructionSize;
        if (!begin && bytesLong > list.length) return;
        epilogue.begin = begin ? *begin : list.length - bytesLong;
        list.epilogues.push_back(epilogue);
    };
    if (oneEpilogue) addEpilogue(epilogues, std::nullopt);
    for (std::size_t i = 0; i + 4 <= scopes.size(); i += 4) {
        const auto scope = loadInteger<std::uint32_t>(scopes.data() + i);
        addEpilogue(scope >> 22U, (scope & 0x3ffffU) * arm64InstructionSize);
    }
    return list;
}

}  // namespace

std::optional<Arm64UnwindList> readArm64Unwind(const PeFunction& function, const CodeMap& code) {
    const bool packed = (function.unwind & 3U) != 0;
    return packed ? expandPacked(function.unwind) : readRecord(function, code);
}

}  // namespace icecore
