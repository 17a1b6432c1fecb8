// ARM64 unwind information of PE images.
// Source: "ARM64 exception handling" (learn.microsoft.com/cpp/build/arm64-exception-handling): the
// packed form and the .xdata records of .pdata entries, and the unwind codes. The codes of the
// system's own frames (MSFT_OP_…) are named there; their frames are those of winnt.h.
#include <array>
#include <utility>
#include <vector>

#include "unwind/pe_finder.h"

namespace icecore {

namespace {

/// What one unwind code undoes; each stands for one instruction of a prologue.
struct Code {
    enum class Kind : std::uint8_t {
        nothing,         ///< nop, or saves that no unwinder needs (vector registers, homed
                         ///< parameters)
        allocate,        ///< sp -= size
        save_one,        ///< reg at [sp + offset]
        save_pair,       ///< reg and the one behind it
        save_with_link,  ///< reg and lr
        save_frame,      ///< fp and lr
        save_next,       ///< the pair behind those of the next code in the list
        set_frame,       ///< fp = sp + size
        sign_link,       ///< lr carries an authentication code from here on
        trap_frame,      ///< a KTRAP_FRAME, as the kernel leaves it of what it interrupted
        machine_frame,   ///< sp and pc as an interrupt left them
        context,         ///< a whole CONTEXT, as exception dispatch leaves it
        unknown,
        end,          ///< of the list
        end_of_part,  ///< of this part of a function; the codes of its other part follow
    };
    Kind kind = Kind::nothing;
    std::uint8_t reg = 0;
    std::uint32_t size = 0;  ///< bytes that sp was lowered by as well; of set_frame see there
    std::uint32_t offset = 0;
    bool inEpilogue = true;  ///< an epilogue has its counterpart
};
using Kind = Code::Kind;

constexpr std::uint8_t firstSaved = 19;  // x19
constexpr std::uint32_t instructionSize = 4;

/// The codes of one function: those that describe its prologue, from its end to its start.
struct UnwindList {
    std::uint32_t length = 0;  ///< of the function, bytes
    std::vector<Code> codes;
    std::uint32_t prologue = 0;  ///< how many of the first codes the prologue here has
    struct Epilogue {
        std::uint32_t begin = 0;  ///< bytes from the function's start
        std::uint32_t first = 0;  ///< index of its first code
        std::uint32_t instructions = 0;
    };
    std::vector<Epilogue> epilogues;
};

/// Packed unwind data: what the compiler's usual prologue looks like is told by a few numbers.
std::optional<UnwindList> expandPacked(std::uint32_t word) {
    UnwindList list;
    list.length = (word >> 2U & 0x7ffU) * instructionSize;
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
    const std::uint32_t bytes = instructions * instructionSize;
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
std::optional<UnwindList> readRecord(const PeFunction& function, const Walk& walk) {
    const std::uint64_t at = function.base + function.unwind;
    std::array<std::byte, 8> head{};
    if (walk.code.read(at, std::span(head).first(4)) != 4) return std::nullopt;
    const auto word = loadInteger<std::uint32_t>(head.data());
    UnwindList list;
    list.length = (word & 0x3ffffU) * instructionSize;
    if ((word >> 18U & 3U) != 0) return std::nullopt;  // a version that we do not know
    const bool oneEpilogue = (word >> 21U & 1U) != 0;
    std::uint32_t epilogues = word >> 22U & 31U;
    std::uint32_t words = word >> 27U & 31U;
    std::uint64_t next = at + 4;
    if (epilogues == 0 && words == 0) {
        if (walk.code.read(next, std::span(head).first(4)) != 4) return std::nullopt;
        const auto more = loadInteger<std::uint32_t>(head.data());
        epilogues = more & 0xffffU;
        words = more >> 16U & 0xffU;
        next += 4;
    }
    std::vector<std::byte> scopes(oneEpilogue ? 0 : std::size_t{epilogues} * 4);
    std::vector<std::byte> bytes(std::size_t{words} * 4);
    if (walk.code.read(next, scopes) != scopes.size() ||
        walk.code.read(next + scopes.size(), bytes) != bytes.size())
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
        UnwindList::Epilogue epilogue;
        epilogue.first = codeAt[byte];
        epilogue.instructions = 1;  // ret
        for (std::size_t i = epilogue.first; i < list.codes.size(); ++i) {
            const Kind kind = list.codes[i].kind;
            if (kind == Kind::end || kind == Kind::end_of_part) break;
            ++epilogue.instructions;
        }
        const std::uint32_t bytesLong = epilogue.instructions * instructionSize;
        if (!begin && bytesLong > list.length) return;
        epilogue.begin = begin ? *begin : list.length - bytesLong;
        list.epilogues.push_back(epilogue);
    };
    if (oneEpilogue) addEpilogue(epilogues, std::nullopt);
    for (std::size_t i = 0; i + 4 <= scopes.size(); i += 4) {
        const auto scope = loadInteger<std::uint32_t>(scopes.data() + i);
        addEpilogue(scope >> 22U, (scope & 0x3ffffU) * instructionSize);
    }
    return list;
}

/// Undoes codes, from the given one on.
class Undo {
public:
    Undo(const WalkFrame& frame, Walk& walk) : walk_(walk), caller_(frame.registers) {}

    bool run(std::span<const Code> codes, bool epilogue);
    Step finish();
    [[nodiscard]] const Step& failure() const { return failure_; }

private:
    bool load(std::uint64_t address, RegisterId into);
    bool pair(const Code& code, RegisterId second);
    bool one(const Code& code);
    bool context();

    Walk& walk_;
    Registers caller_;
    std::uint32_t pending_ = 0;  ///< save_next codes seen
    bool exact_ = false;         ///< pc was restored, and is no return address
    Step failure_;
};

bool Undo::load(std::uint64_t address, RegisterId into) {
    const auto value = walk_.word(address, Arch::arm64);
    if (!value) {
        failure_ = Step::unreadable(address);
        return false;
    }
    caller_.set(into, *value);
    return true;
}

bool Undo::pair(const Code& code, RegisterId second) {
    const std::uint64_t at = caller_.sp() + code.offset;
    const auto first =
        code.kind == Kind::save_frame ? RegisterId{arm64::fp} : static_cast<RegisterId>(code.reg);
    if (!load(at, first) || !load(at + 8, second)) return false;
    for (std::uint32_t i = 1; i <= pending_; ++i) {
        const auto reg = static_cast<RegisterId>(first + 2 * i);
        if (code.kind != Kind::save_pair || reg + 1 > arm64::lr) return false;
        if (!load(at + 16 * i, reg) || !load(at + 16 * i + 8, static_cast<RegisterId>(reg + 1)))
            return false;
    }
    pending_ = 0;
    return true;
}

/// CONTEXT of winnt.h for ARM64: flags and cpsr, x0 … x28, fp, lr, sp, pc.
bool Undo::context() {
    const std::uint64_t at = caller_.sp() + 8;
    exact_ = true;
    for (RegisterId i = 0; i <= arm64::lr; ++i) {
        if (!load(at + i * 8U, i)) return false;
    }
    return load(at + 32 * 8, arm64::pc) && load(at + 31 * 8, arm64::sp);
}

bool Undo::one(const Code& code) {
    const std::uint64_t sp = caller_.sp();
    switch (code.kind) {
    case Kind::save_one:
        if (code.reg > arm64::lr || !load(sp + code.offset, code.reg)) return false;
        break;
    case Kind::save_pair:
        if (code.reg >= arm64::lr || !pair(code, static_cast<RegisterId>(code.reg + 1)))
            return false;
        break;
    case Kind::save_with_link:
    case Kind::save_frame:
        if (code.reg > arm64::lr || !pair(code, arm64::lr)) return false;
        break;
    case Kind::save_next: ++pending_; return true;
    case Kind::set_frame: {
        const auto fp = caller_.get(arm64::fp);
        if (!fp) return false;
        caller_.set(arm64::sp, *fp - code.size);
        return true;
    }
    case Kind::machine_frame: {
        exact_ = true;
        return load(sp + 8, arm64::pc) && load(sp, arm64::sp);
    }
    case Kind::trap_frame: {
        // Sp, Lr, Fp and Pc of KTRAP_FRAME (formats/winkernel/crash_context.cpp).
        exact_ = true;
        return load(sp + 0x148, arm64::pc) && load(sp + 0x140, arm64::fp) &&
               load(sp + 0x138, arm64::lr) && load(sp + 0x98, arm64::sp);
    }
    case Kind::context: return context();
    case Kind::unknown: return false;
    case Kind::nothing: pending_ = 0; break;  // save_next of vector registers
    default: break;
    }
    caller_.set(arm64::sp, sp + code.size);
    return true;
}

bool Undo::run(std::span<const Code> codes, bool epilogue) {
    for (const Code& code : codes) {
        if (code.kind == Kind::end) break;
        if (code.kind == Kind::end_of_part) {
            if (epilogue) break;
            continue;
        }
        if (!one(code)) return false;
    }
    return true;
}

Step Undo::finish() {
    if (!exact_) {
        const auto link = caller_.get(arm64::lr);
        if (!link) return {};
        caller_.set(arm64::pc, stripPointer(Arch::arm64, *link));
    }
    Step step;
    step.kind = Step::Kind::caller;
    step.trust = Trust::unwind_info;
    step.fromSignalFrame = exact_;
    step.caller = caller_;
    return step;
}

/// The epilogue that `into` is in, or null.
const UnwindList::Epilogue* epilogueAt(const UnwindList& list, std::uint64_t into) {
    for (const auto& epilogue : list.epilogues) {
        const std::uint32_t bytes = epilogue.instructions * instructionSize;
        if (into >= epilogue.begin && into - epilogue.begin < bytes) return &epilogue;
    }
    return nullptr;
}

}  // namespace

Step peStepArm64(const PeTables& tables, const WalkFrame& frame, Walk& walk) {
    const auto found = tables.findArm64(frame.lookupPc());
    if (!found.covered) return {};
    std::optional<UnwindList> list;
    std::uint64_t into = 0;
    if (found.function) {
        const std::uint64_t begin = found.function->base + found.function->begin;
        const bool packed = (found.function->unwind & 3U) != 0;
        list = packed ? expandPacked(found.function->unwind) : readRecord(*found.function, walk);
        if (!list) return {};
        // A call that never returns may be the last instruction: its return address is the end.
        if (frame.lookupPc() - begin >= list->length) list.reset();
        into = frame.pc() - begin;
    }
    Undo undo(frame, walk);
    if (!list) {
        // A leaf has no entry, and calls nobody: only the innermost frame can be one.
        const bool leaf = !frame.pcIsReturnAddress &&
                          walk.code.executable(frame.pc()) == CodeMap::Executable::yes;
        return leaf ? undo.finish() : Step{};
    }
    std::span<const Code> codes = list->codes;
    const std::uint64_t done = into / instructionSize;
    const auto* epilogue = frame.pcIsReturnAddress ? nullptr : epilogueAt(*list, into);
    if (epilogue != nullptr) {
        // What the epilogue has undone already is skipped; codes without a counterpart are none
        // of its instructions.
        std::uint64_t skip = done - epilogue->begin / instructionSize;
        std::vector<Code> left;
        for (const Code& code : codes.subspan(epilogue->first)) {
            if (!code.inEpilogue) continue;
            if (skip > 0 && code.kind != Kind::end && code.kind != Kind::end_of_part) {
                --skip;
                continue;
            }
            left.push_back(code);
        }
        return undo.run(left, true) ? undo.finish() : undo.failure();
    }
    // Inside the prologue its later instructions, the first codes, have not run.
    if (done < list->prologue) codes = codes.subspan(list->prologue - done);
    return undo.run(codes, false) ? undo.finish() : undo.failure();
}

}  // namespace icecore
