// The on-disk structures and constants of ELF, little-endian, for 32 and 64 bits.
// Sources: System V gABI 4.1 chapters 4 and 5 with its later drafts (compressed sections, extended
// numbering); Linux' uapi/linux/elf.h and auxvec.h (notes of cores, auxiliary vector).
// The system's own <elf.h> is not used: it exists on Linux only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "bytes/endian.h"

namespace icecore::elf {

inline constexpr std::array<std::byte, 4> magic = {std::byte{0x7f}, std::byte{'E'}, std::byte{'L'},
                                                   std::byte{'F'}};
/// e_ident: indices and values.
inline constexpr std::size_t identClass = 4, identData = 5, identVersion = 6, identSize = 16;
inline constexpr std::uint8_t class32 = 1, class64 = 2, dataLittle = 1, dataBig = 2;

struct Header32 {
    std::byte ident[identSize];
    Le16 type, machine;
    Le32 version, entry, programOffset, sectionOffset, flags;
    Le16 headerSize, programEntrySize, programCount, sectionEntrySize, sectionCount, nameSection;
};
static_assert(sizeof(Header32) == 52 && offsetof(Header32, programOffset) == 28);
struct Header64 {
    std::byte ident[identSize];
    Le16 type, machine;
    Le32 version;
    Le64 entry, programOffset, sectionOffset;
    Le32 flags;
    Le16 headerSize, programEntrySize, programCount, sectionEntrySize, sectionCount, nameSection;
};
static_assert(sizeof(Header64) == 64 && offsetof(Header64, sectionOffset) == 40);

struct Program32 {
    Le32 type, offset, virtualAddress, physicalAddress, fileSize, memorySize, flags, alignment;
};
static_assert(sizeof(Program32) == 32 && offsetof(Program32, flags) == 24);
struct Program64 {
    Le32 type, flags;
    Le64 offset, virtualAddress, physicalAddress, fileSize, memorySize, alignment;
};
static_assert(sizeof(Program64) == 56 && offsetof(Program64, offset) == 8);

struct Section32 {
    Le32 name, type, flags, address, offset, size, link, info, alignment, entrySize;
};
static_assert(sizeof(Section32) == 40 && offsetof(Section32, link) == 24);
struct Section64 {
    Le32 name, type;
    Le64 flags, address, offset, size;
    Le32 link, info;
    Le64 alignment, entrySize;
};
static_assert(sizeof(Section64) == 64 && offsetof(Section64, link) == 40);

/// Before the content of a section with SHF_COMPRESSED.
struct Compression32 {
    Le32 type, size, alignment;
};
static_assert(sizeof(Compression32) == 12);
struct Compression64 {
    Le32 type, reserved;
    Le64 size, alignment;
};
static_assert(sizeof(Compression64) == 24 && offsetof(Compression64, size) == 8);

struct Symbol32 {
    Le32 name, value, size;
    std::uint8_t info, other;
    Le16 section;
};
static_assert(sizeof(Symbol32) == 16 && offsetof(Symbol32, section) == 14);
struct Symbol64 {
    Le32 name;
    std::uint8_t info, other;
    Le16 section;
    Le64 value, size;
};
static_assert(sizeof(Symbol64) == 24 && offsetof(Symbol64, value) == 8);

struct Dynamic32 {
    Le32 tag, value;
};
static_assert(sizeof(Dynamic32) == 8);
struct Dynamic64 {
    Le64 tag, value;
};
static_assert(sizeof(Dynamic64) == 16);

struct Relocation64 {  // with addend
    Le64 offset, info, addend;
};
static_assert(sizeof(Relocation64) == 24);
struct Relocation32 {  // without addend
    Le32 offset, info;
};
static_assert(sizeof(Relocation32) == 8);

/// Before each note's name and content; sizes without padding.
struct NoteHeader {
    Le32 nameSize, contentSize, type;
};
static_assert(sizeof(NoteHeader) == 12);

// e_type
inline constexpr std::uint16_t typeNone = 0, typeRelocatable = 1, typeExecutable = 2,
                               typeDynamic = 3, typeCore = 4;
// e_machine
inline constexpr std::uint16_t machine386 = 3, machineArm = 40, machineX86_64 = 62,
                               machineAarch64 = 183;
// Numbers that do not fit move into section header 0: sh_size, sh_link, sh_info.
inline constexpr std::uint16_t extendedProgramCount = 0xffff;  // PN_XNUM
inline constexpr std::uint16_t extendedIndex = 0xffff;         // SHN_XINDEX
inline constexpr std::uint16_t undefinedSection = 0;           // SHN_UNDEF
inline constexpr std::uint16_t reservedSections = 0xff00;      // SHN_LORESERVE
inline constexpr std::uint16_t absoluteSection = 0xfff1;       // SHN_ABS

// p_type
inline constexpr std::uint32_t segmentLoad = 1, segmentDynamic = 2, segmentInterpreter = 3,
                               segmentNote = 4, segmentHeaders = 6, segmentTls = 7,
                               segmentEhFrame = 0x6474e550, segmentStack = 0x6474e551,
                               segmentRelro = 0x6474e552;
// p_flags
inline constexpr std::uint32_t flagExecute = 1, flagWrite = 2, flagRead = 4;
// sh_type
inline constexpr std::uint32_t sectionNull = 0, sectionProgramBits = 1, sectionSymbols = 2,
                               sectionStrings = 3, sectionRelocationsAddend = 4, sectionHash = 5,
                               sectionDynamic = 6, sectionNote = 7, sectionNoBits = 8,
                               sectionRelocations = 9, sectionDynamicSymbols = 11,
                               sectionGnuHash = 0x6ffffff6;
// sh_flags
inline constexpr std::uint64_t sectionWrite = 1, sectionAllocated = 2, sectionExecute = 4,
                               sectionTls = 0x400, sectionCompressed = 0x800;
// ch_type
inline constexpr std::uint32_t compressedZlib = 1, compressedZstd = 2;
// st_info: type in the low four bits, binding above.
inline constexpr std::uint8_t symbolNoType = 0, symbolObject = 1, symbolFunction = 2,
                              symbolSection = 3, symbolFile = 4, symbolCommon = 5, symbolTls = 6,
                              symbolIndirectFunction = 10;
inline constexpr std::uint8_t bindLocal = 0, bindGlobal = 1, bindWeak = 2, bindUnique = 10;
// d_tag
inline constexpr std::uint64_t dynamicNull = 0, dynamicNeeded = 1, dynamicPltRelocationsSize = 2,
                               dynamicHash = 4, dynamicStrings = 5, dynamicSymbols = 6,
                               dynamicStringsSize = 10, dynamicSoname = 14, dynamicDebug = 21,
                               dynamicPltRelocations = 23, dynamicGnuHash = 0x6ffffef5;

// Notes named "GNU" of programs and libraries.
inline constexpr std::uint32_t noteGnuBuildId = 3;
// Notes of cores: named "CORE" …
inline constexpr std::uint32_t notePrStatus = 1, noteFpRegSet = 2, notePrPsInfo = 3, noteAuxv = 6,
                               noteSigInfo = 0x53494749, noteFile = 0x46494c45;
// … and named "LINUX".
inline constexpr std::uint32_t notePrXfpReg = 0x46e62b7f, noteX86Xstate = 0x202, noteArmTls = 0x401,
                               noteArmPacMask = 0x406;

// Auxiliary vector.
inline constexpr std::uint64_t auxNull = 0, auxProgramHeaders = 3, auxProgramEntrySize = 4,
                               auxProgramCount = 5, auxPageSize = 6, auxBase = 7, auxEntry = 9,
                               auxUid = 11, auxEuid = 12, auxGid = 13, auxPlatform = 15,
                               auxHwcap = 16, auxClockTick = 17, auxSecure = 23, auxRandom = 25,
                               auxExecFileName = 31, auxVdso = 33;

}  // namespace icecore::elf
