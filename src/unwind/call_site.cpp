#include "unwind/call_site.h"

#include "bytes/endian.h"

namespace icecore {

namespace {

std::uint8_t byteAt(std::span<const std::byte> bytes, std::size_t index) {
    return std::to_integer<std::uint8_t>(bytes[index]);
}

/// Bytes of `FF /2` (call through register or memory) at the start of `code`; 0 when it is none.
std::size_t indirectCallSize(std::span<const std::byte> code) {
    if (code.size() < 2 || byteAt(code, 0) != 0xff) return 0;
    const std::uint8_t modrm = byteAt(code, 1);
    if ((modrm >> 3 & 7U) != 2) return 0;
    const unsigned mod = modrm >> 6;
    const unsigned rm = modrm & 7U;
    if (mod == 3) return 2;
    std::size_t size = 2;
    if (rm == 4) {
        if (code.size() < 3) return 0;
        const unsigned sibBase = byteAt(code, 2) & 7U;
        size += 1;
        if (mod == 0 && sibBase == 5) size += 4;
    } else if (mod == 0 && rm == 5) {
        size += 4;  // rip-relative in 64-bit code, absolute in 32-bit code
    }
    if (mod == 1) size += 1;
    if (mod == 2) size += 4;
    return size;
}

std::optional<CallSite> x86Call(std::uint64_t returnAddress, std::span<const std::byte> before,
                                bool is64) {
    // The direct call first: it is by far the most frequent, and the least likely coincidence.
    if (before.size() >= 5) {
        const auto last = before.last(5);
        if (byteAt(last, 0) == 0xe8) {
            const auto distance = loadInteger<std::int32_t>(last.data() + 1);
            const std::uint64_t target =
                returnAddress + static_cast<std::uint64_t>(static_cast<std::int64_t>(distance));
            return CallSite{is64 ? target : target & UINT32_MAX};
        }
    }
    for (std::size_t size = 2; size <= maxCallSize && size <= before.size(); ++size) {
        if (indirectCallSize(before.last(size)) == size) return CallSite{};
    }
    return std::nullopt;
}

std::optional<CallSite> arm64Call(std::uint64_t returnAddress, std::span<const std::byte> before) {
    if (returnAddress % 4 != 0 || before.size() < 4) return std::nullopt;
    const auto word = loadInteger<std::uint32_t>(before.last(4).data());
    if ((word & 0xfc000000U) == 0x94000000U) {  // BL imm26
        const std::uint64_t imm = word & 0x03ffffffU;
        const std::uint64_t distance = ((imm ^ 0x02000000U) - 0x02000000U) * 4;  // sign-extended
        return CallSite{returnAddress - 4 + distance};
    }
    // BLR Xn, and BLRAA, BLRAB, BLRAAZ, BLRABZ, which differ in bits 24, 11 and 10.
    if ((word & 0xfffffc1fU) == 0xd63f0000U || (word & 0xfefff800U) == 0xd63f0800U)
        return CallSite{};
    return std::nullopt;
}

}  // namespace

std::optional<CallSite> callEndingAt(Arch arch, std::uint64_t returnAddress,
                                     std::span<const std::byte> before) {
    switch (arch) {
    case Arch::x86_64: return x86Call(returnAddress, before, true);
    case Arch::x86: return x86Call(returnAddress, before, false);
    case Arch::arm64: return arm64Call(returnAddress, before);
    default: return std::nullopt;
    }
}

}  // namespace icecore
