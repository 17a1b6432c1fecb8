#include "unwind/dwarf_pointer.h"

#include "base/range.h"

namespace icecore {

namespace {

/// The stored value, sign-extended where the format is signed.
std::optional<std::uint64_t> readFormat(Cursor& cursor, std::uint8_t format,
                                        std::uint8_t addressSize) {
    const auto widen = [](std::int64_t value) { return static_cast<std::uint64_t>(value); };
    switch (format) {
    case dw_eh_pe::absptr: return cursor.unsignedOf(addressSize);
    case dw_eh_pe::uleb128: return cursor.uleb();
    case dw_eh_pe::udata2: return cursor.u16();
    case dw_eh_pe::udata4: return cursor.u32();
    case dw_eh_pe::udata8: return cursor.u64();
    case dw_eh_pe::sleb128: return widen(cursor.sleb());
    case dw_eh_pe::sdata2: return widen(cursor.i16());
    case dw_eh_pe::sdata4: return widen(cursor.i32());
    case dw_eh_pe::sdata8: return widen(cursor.i64());
    default: return std::nullopt;
    }
}

}  // namespace

std::optional<std::uint64_t> readEncodedPointer(Cursor& cursor, std::uint8_t encoding,
                                                const PointerBases& bases) {
    if (encoding == dw_eh_pe::omit) return std::nullopt;
    const std::uint8_t application = encoding & dw_eh_pe::applicationMask;
    if (application == dw_eh_pe::aligned) {
        const std::uint64_t here = bases.section + cursor.position();
        cursor.skip(alignUp(here, bases.addressSize) - here);
    }
    const std::uint64_t here = bases.section + cursor.position();
    const auto stored = readFormat(cursor, encoding & dw_eh_pe::formatMask, bases.addressSize);
    if (!stored) return std::nullopt;

    std::uint64_t value = *stored;
    switch (application) {
    case dw_eh_pe::absptr:
    case dw_eh_pe::aligned: break;
    case dw_eh_pe::pcrel: value += here; break;
    case dw_eh_pe::textrel: value += bases.text; break;
    case dw_eh_pe::datarel: value += bases.data; break;
    case dw_eh_pe::funcrel: value += bases.function; break;
    default: return std::nullopt;
    }
    return bases.addressSize == 4 ? value & UINT32_MAX : value;
}

std::optional<std::uint8_t> encodedPointerSize(std::uint8_t encoding, std::uint8_t addressSize) {
    switch (encoding & dw_eh_pe::formatMask) {
    case dw_eh_pe::absptr: return addressSize;
    case dw_eh_pe::udata2:
    case dw_eh_pe::sdata2: return std::uint8_t{2};
    case dw_eh_pe::udata4:
    case dw_eh_pe::sdata4: return std::uint8_t{4};
    case dw_eh_pe::udata8:
    case dw_eh_pe::sdata8: return std::uint8_t{8};
    default: return std::nullopt;
    }
}

}  // namespace icecore
