// Encoded pointers of .eh_frame and .eh_frame_hdr (DW_EH_PE_*).
// Layout: Linux Standard Base Core 5.0, chapter 10.5 "DWARF Extensions".
#pragma once

#include <cstdint>
#include <optional>

#include "bytes/cursor.h"

namespace icecore {

namespace dw_eh_pe {
enum : std::uint8_t {
    absptr = 0x00,
    uleb128 = 0x01,
    udata2 = 0x02,
    udata4 = 0x03,
    udata8 = 0x04,
    sleb128 = 0x09,
    sdata2 = 0x0a,
    sdata4 = 0x0b,
    sdata8 = 0x0c,
    formatMask = 0x0f,
    pcrel = 0x10,
    textrel = 0x20,
    datarel = 0x30,
    funcrel = 0x40,
    aligned = 0x50,
    applicationMask = 0x70,
    indirect = 0x80,
    omit = 0xff,
};
}

/// What encoded pointers are relative to; all are link-time addresses.
struct PointerBases {
    std::uint64_t section = 0;   ///< address of the first byte of the cursor's view
    std::uint64_t text = 0;      ///< DW_EH_PE_textrel
    std::uint64_t data = 0;      ///< DW_EH_PE_datarel
    std::uint64_t function = 0;  ///< DW_EH_PE_funcrel
    std::uint8_t addressSize = 8;
};

/// The next pointer, relocated; wraps around at the address size. DW_EH_PE_indirect is not
/// followed: the value is then the address of the pointer. Nothing when the encoding is unknown or
/// DW_EH_PE_omit; a short read is the cursor's sticky error.
std::optional<std::uint64_t> readEncodedPointer(Cursor& cursor, std::uint8_t encoding,
                                                const PointerBases& bases);

/// Bytes one pointer of this encoding takes; nothing for the variable-length ones.
std::optional<std::uint8_t> encodedPointerSize(std::uint8_t encoding, std::uint8_t addressSize);

}  // namespace icecore
