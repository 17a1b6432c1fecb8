#include "arch/windows_context.h"

#include <algorithm>
#include <array>

#include "arch/xsave.h"
#include "base/range.h"
#include "bytes/cursor.h"

namespace icecore {

namespace {

// Groups of a CONTEXT's flags (winnt.h). The bits mean the same on every architecture, except that
// bit 2 is SEGMENTS on x86 and AMD64 and FLOATING_POINT on ARM and ARM64.
constexpr std::uint32_t control = 1, integer = 2, segments = 4, armFloat = 4, floating = 8,
                        debugRegisters = 16, extendedRegisters = 32, xstate = 64, kernelCet = 128;

struct Slot {
    std::uint16_t offset;
    std::uint8_t size;
    RegisterId id;
    std::uint8_t group;
};

/// One kind of CONTEXT: where its flags and registers are.
struct Layout {
    Arch arch;
    std::uint32_t mark;  ///< the bit in the flags that names the architecture
    std::uint16_t flagsOffset;
    std::uint16_t size;     ///< of the whole structure
    std::uint16_t minimum;  ///< of a CONTEXT that ends before its optional parts
    std::span<const Slot> slots;
};

// winnt.h, CONTEXT of AMD64.
constexpr std::array x64Slots = {
    Slot{0x38, 2, x64::cs, control},         Slot{0x3a, 2, x64::ds, segments},
    Slot{0x3c, 2, x64::es, segments},        Slot{0x3e, 2, x64::fs, segments},
    Slot{0x40, 2, x64::gs, segments},        Slot{0x42, 2, x64::ss, control},
    Slot{0x44, 4, x64::eflags, control},     Slot{0x48, 8, x64::dr0, debugRegisters},
    Slot{0x50, 8, x64::dr1, debugRegisters}, Slot{0x58, 8, x64::dr2, debugRegisters},
    Slot{0x60, 8, x64::dr3, debugRegisters}, Slot{0x68, 8, x64::dr6, debugRegisters},
    Slot{0x70, 8, x64::dr7, debugRegisters}, Slot{0x78, 8, x64::rax, integer},
    Slot{0x80, 8, x64::rcx, integer},        Slot{0x88, 8, x64::rdx, integer},
    Slot{0x90, 8, x64::rbx, integer},        Slot{0x98, 8, x64::rsp, control},
    Slot{0xa0, 8, x64::rbp, integer},        Slot{0xa8, 8, x64::rsi, integer},
    Slot{0xb0, 8, x64::rdi, integer},        Slot{0xb8, 8, x64::r8, integer},
    Slot{0xc0, 8, x64::r9, integer},         Slot{0xc8, 8, x64::r10, integer},
    Slot{0xd0, 8, x64::r11, integer},        Slot{0xd8, 8, x64::r12, integer},
    Slot{0xe0, 8, x64::r13, integer},        Slot{0xe8, 8, x64::r14, integer},
    Slot{0xf0, 8, x64::r15, integer},        Slot{0xf8, 8, x64::rip, control},
};
constexpr std::size_t x64MxCsr = 0x34, x64Float = 0x100, x64Size = 0x4d0;
constexpr std::size_t fxsaveSize = 512, fxsaveMxCsr = 24;
// Behind it, with CONTEXT_XSTATE: CONTEXT_EX, three pairs of offset (from the CONTEXT_EX) and
// length: all, legacy, XState. XState begins with the 64-byte header of the XSAVE area.
constexpr std::size_t contextExSize = 24, xstateChunk = x64Size + 16;
// With CONTEXT_KERNEL_CET a fourth pair follows: KernelCet.
constexpr std::size_t kernelCetChunk = x64Size + 24;
constexpr std::size_t xstateOffset = alignUp(x64Size + contextExSize, 64);
constexpr std::size_t xsaveHeaderSize = 64;

// winnt.h, CONTEXT of x86; FLOATING_SAVE_AREA at 0x1c, FXSAVE at 0xcc.
constexpr std::array x86Slots = {
    Slot{0x04, 4, x86::dr0, debugRegisters}, Slot{0x08, 4, x86::dr1, debugRegisters},
    Slot{0x0c, 4, x86::dr2, debugRegisters}, Slot{0x10, 4, x86::dr3, debugRegisters},
    Slot{0x14, 4, x86::dr6, debugRegisters}, Slot{0x18, 4, x86::dr7, debugRegisters},
    Slot{0x8c, 4, x86::gs, segments},        Slot{0x90, 4, x86::fs, segments},
    Slot{0x94, 4, x86::es, segments},        Slot{0x98, 4, x86::ds, segments},
    Slot{0x9c, 4, x86::edi, integer},        Slot{0xa0, 4, x86::esi, integer},
    Slot{0xa4, 4, x86::ebx, integer},        Slot{0xa8, 4, x86::edx, integer},
    Slot{0xac, 4, x86::ecx, integer},        Slot{0xb0, 4, x86::eax, integer},
    Slot{0xb4, 4, x86::ebp, control},        Slot{0xb8, 4, x86::eip, control},
    Slot{0xbc, 4, x86::cs, control},         Slot{0xc0, 4, x86::eflags, control},
    Slot{0xc4, 4, x86::esp, control},        Slot{0xc8, 4, x86::ss, control},
};
constexpr std::size_t x86Extended = 0xcc, x86Size = 0x2cc;

/// Registers one behind the other, `first` on, of one group, except that the last `controls`
/// belong to control.
template <std::size_t Count>
constexpr std::array<Slot, Count> row(std::uint16_t offset, std::uint8_t size,
                                      std::size_t controls) {
    std::array<Slot, Count> slots{};
    for (std::size_t i = 0; i < Count; ++i) {
        slots[i] = {static_cast<std::uint16_t>(offset + i * size), size, static_cast<RegisterId>(i),
                    static_cast<std::uint8_t>(i + controls >= Count ? control : integer)};
    }
    return slots;
}

template <std::size_t Count>
constexpr std::array<Slot, Count + 1> with(std::array<Slot, Count> slots, Slot more) {
    std::array<Slot, Count + 1> all{};
    std::ranges::copy(slots, all.begin());
    all[Count] = more;
    return all;
}

// x0 … x28, fp, lr, sp, pc stand in the order of our ids. In Microsoft's (winnt.h) the status
// register comes before them, in Breakpad's old form (minidump_cpu_arm64.h) behind.
constexpr auto arm64Slots = with(row<33>(0x08, 8, 4), {0x04, 4, arm64::cpsr, control});
constexpr std::size_t arm64Vectors = 0x110, arm64Size = 0x390;
constexpr auto arm64OldSlots = with(row<33>(0x08, 8, 4), {0x110, 4, arm64::cpsr, control});
constexpr std::size_t arm64OldStatus = 0x114, arm64OldVectors = 0x11c, arm64OldSize = 0x31c;
constexpr std::size_t vectorsSize = 512, fpsimdSize = 528;

// winnt.h and minidump_cpu_arm.h agree as far as the status register.
constexpr auto armSlots = with(row<16>(0x04, 4, 3), {0x44, 4, arm::cpsr, control});
constexpr std::size_t armSize = 0x1a0, armBreakpadSize = 0x170, armMinimum = 0x48;

constexpr std::array layouts = {
    Layout{Arch::x86_64, 0x100000, 0x30, x64Size, x64Size, x64Slots},
    Layout{Arch::arm64, 0x400000, 0, arm64Size, arm64Vectors, arm64Slots},
    Layout{Arch::arm64, 0x80000000, 0, arm64OldSize, arm64OldStatus, arm64OldSlots},
    Layout{Arch::arm, 0x200000, 0, armSize, armMinimum, armSlots},
    Layout{Arch::arm, 0x40000000, 0, armBreakpadSize, armMinimum, armSlots},
    Layout{Arch::x86, 0x10000, 0, x86Size, x86Extended, x86Slots},
};

std::uint64_t loadSized(const std::byte* bytes, std::size_t size) {
    if (size == 2) return loadInteger<std::uint16_t>(bytes);
    if (size == 4) return loadInteger<std::uint32_t>(bytes);
    return loadInteger<std::uint64_t>(bytes);
}

void storeSized(std::byte* bytes, std::size_t size, std::uint64_t value) {
    if (size == 2)
        storeInteger(bytes, static_cast<std::uint16_t>(value));
    else if (size == 4)
        storeInteger(bytes, static_cast<std::uint32_t>(value));
    else
        storeInteger(bytes, value);
}

std::vector<std::byte> copyOf(ByteView view) {
    return {view.span().begin(), view.span().end()};
}

/// The layout whose mark the flags carry; those of the expected architecture are asked first.
const Layout* layoutOf(ByteView bytes, Arch expected) {
    const auto matches = [&](const Layout& layout) {
        return bytes.size() >= layout.flagsOffset + 4U &&
               (loadInteger<std::uint32_t>(bytes.data() + layout.flagsOffset) & layout.mark) != 0;
    };
    for (const Layout& layout : layouts) {
        if (layout.arch == expected && matches(layout)) return &layout;
    }
    // A 32-bit thread in a 64-bit system, or a system information that lies. AMD64 is not guessed:
    // its flags are not the first word, so anything could look like them.
    for (const Layout& layout : layouts) {
        if (layout.flagsOffset == 0 && matches(layout)) return &layout;
    }
    return nullptr;
}

/// A part that CONTEXT_EX points to; empty when there is none or it lies outside.
ByteView x64Chunk(ByteView bytes, std::size_t chunk) {
    if (bytes.size() < chunk + 8) return {};
    const auto offset = loadInteger<std::int32_t>(bytes.data() + chunk);
    const auto length = loadInteger<std::uint32_t>(bytes.data() + chunk + 4);
    if (offset <= 0) return {};
    const ByteView part = bytes.slice(x64Size + static_cast<std::uint64_t>(offset), length);
    return part.size() == length ? part : ByteView{};
}

/// The XSAVE area: the legacy part of the CONTEXT and the part that CONTEXT_EX points to.
std::vector<std::byte> x64Xsave(ByteView bytes) {
    const ByteView state = x64Chunk(bytes, xstateChunk);
    if (state.size() < xsaveHeaderSize) return {};
    std::vector<std::byte> area = copyOf(bytes.slice(x64Float, fxsaveSize));
    area.insert(area.end(), state.span().begin(), state.span().end());
    return area;
}

/// user_fpsimd_state: 32 vectors, then fpsr and fpcr and eight bytes of padding.
SharedBytes fpsimd(ByteView vectors, std::uint32_t status, std::uint32_t controlWord) {
    std::vector<std::byte> state = copyOf(vectors);
    appendInteger(state, status);
    appendInteger(state, controlWord);
    state.resize(fpsimdSize);
    return SharedBytes::own(std::move(state));
}

void readFloatingPoint(const Layout& layout, std::uint32_t flags, ByteView bytes,
                       Context& context) {
    if (bytes.size() < layout.size) return;
    const auto word = [&](std::size_t offset) {
        return loadInteger<std::uint32_t>(bytes.data() + offset);
    };
    if (layout.arch == Arch::x86_64) {
        if ((flags & floating) != 0)
            context.floatingPoint = SharedBytes::own(copyOf(bytes.slice(x64Float, fxsaveSize)));
        if (auto area = x64Xsave(bytes); (flags & xstate) != 0 && !area.empty())
            context.extended = SharedBytes::own(xsaveInStandardFormat(std::move(area)));
    } else if (layout.arch == Arch::x86) {
        if ((flags & extendedRegisters) != 0)
            context.floatingPoint = SharedBytes::own(copyOf(bytes.slice(x86Extended, fxsaveSize)));
    } else if (layout.arch == Arch::arm64 && (flags & armFloat) != 0) {
        context.floatingPoint =
            layout.size == arm64Size
                ? fpsimd(bytes.slice(arm64Vectors, vectorsSize),
                         word(arm64Vectors + vectorsSize + 4), word(arm64Vectors + vectorsSize))
                : fpsimd(bytes.slice(arm64OldVectors, vectorsSize), word(arm64OldStatus),
                         word(arm64OldStatus + 4));
    }
}

void appendXstate(std::vector<std::byte>& out, std::span<const std::byte> extended) {
    const auto length = static_cast<std::uint32_t>(extended.size() - fxsaveSize);
    out.resize(xstateOffset + length);
    const std::array<std::int64_t, 6> chunks = {-static_cast<std::int64_t>(x64Size),
                                                static_cast<std::int64_t>(xstateOffset) + length,
                                                -static_cast<std::int64_t>(x64Size),
                                                static_cast<std::int64_t>(x64Size),
                                                static_cast<std::int64_t>(xstateOffset - x64Size),
                                                length};
    for (std::size_t i = 0; i < chunks.size(); ++i)
        storeInteger(out.data() + x64Size + 4 * i, static_cast<std::int32_t>(chunks[i]));
    std::ranges::copy(extended.subspan(fxsaveSize), out.begin() + xstateOffset);
}

void writeFloatingPoint(const Layout& layout, const Context& context, std::vector<std::byte>& out,
                        std::uint32_t& flags) {
    const auto state = context.floatingPoint.span();
    const auto put = [&](std::span<const std::byte> bytes, std::size_t at) {
        std::ranges::copy(bytes, out.begin() + static_cast<std::ptrdiff_t>(at));
    };
    if (layout.arch == Arch::x86_64) {
        if (state.size() >= fxsaveSize) {
            flags |= floating;
            put(state.first(fxsaveSize), x64Float);
            put(state.subspan(fxsaveMxCsr, 4), x64MxCsr);
        }
        if (context.extended.size() >= fxsaveSize + xsaveHeaderSize) {
            flags |= xstate;
            appendXstate(out, context.extended.span());
        }
    } else if (layout.arch == Arch::x86 && state.size() >= fxsaveSize) {
        flags |= extendedRegisters;
        put(state.first(fxsaveSize), x86Extended);
    } else if (layout.arch == Arch::arm64 && state.size() >= fpsimdSize) {
        flags |= armFloat;
        put(state.first(vectorsSize), arm64OldVectors);
        put(state.subspan(vectorsSize, 8), arm64OldStatus);
    }
}

}  // namespace

Result<Context> readWindowsContext(ByteView bytes, Arch expected) {
    const Layout* layout = layoutOf(bytes, expected);
    if (layout == nullptr) {
        return fail(Errc::malformed, "the flags of a thread context name no known architecture",
                    bytes.where());
    }
    if (bytes.size() < layout->minimum) {
        return fail(Errc::truncated, "a thread context ends too early", bytes.where(bytes.size()));
    }
    auto flags = loadInteger<std::uint32_t>(bytes.data() + layout->flagsOffset);
    // Breakpad on macOS names the architecture alone, and gives these groups.
    constexpr std::uint32_t anyGroup = 0xff;
    if ((flags & anyGroup) == 0) flags |= control | integer | segments;
    Context context{Registers(layout->arch), {}, {}};
    for (const Slot& slot : layout->slots) {
        if ((flags & slot.group) != 0)
            context.registers.set(slot.id, loadSized(bytes.data() + slot.offset, slot.size));
    }
    readFloatingPoint(*layout, flags, bytes, context);
    return context;
}

std::optional<std::uint64_t> windowsShadowStackPointer(ByteView bytes) {
    constexpr std::size_t flagsAt = 0x30;
    constexpr std::uint32_t amd64 = 0x100000;
    if (bytes.size() < x64Size) return std::nullopt;
    const auto flags = loadInteger<std::uint32_t>(bytes.data() + flagsAt);
    if ((flags & amd64) == 0) return std::nullopt;
    if ((flags & kernelCet) != 0) {
        // KERNEL_CET_CONTEXT (winnt.h): Ssp, Rip, then the segment and flags of its frame.
        Cursor cet(x64Chunk(bytes, kernelCetChunk));
        const std::uint64_t pointer = cet.u64();
        if (cet.ok()) return pointer;
    }
    return (flags & xstate) != 0 ? shadowStackPointer(x64Xsave(bytes)) : std::nullopt;
}

std::vector<std::byte> writeWindowsContext(const Context& context) {
    const Arch arch = context.registers.arch();
    // Of two layouts the later is Breakpad's.
    const auto found = std::find_if(layouts.rbegin(), layouts.rend(),
                                    [&](const Layout& layout) { return layout.arch == arch; });
    if (found == layouts.rend()) return {};
    std::vector<std::byte> out(found->size);
    std::uint32_t flags = found->mark;
    for (const Slot& slot : found->slots) {
        const auto value = context.registers.get(slot.id);
        if (!value) continue;
        flags |= slot.group;
        storeSized(out.data() + slot.offset, slot.size, *value);
    }
    writeFloatingPoint(*found, context, out, flags);
    storeInteger(out.data() + found->flagsOffset, flags);
    return out;
}

}  // namespace icecore
