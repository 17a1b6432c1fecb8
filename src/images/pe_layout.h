// The on-disk structures and constants of PE images (programs and libraries of Windows).
// Sources: Microsoft's "PE Format" (learn.microsoft.com/windows/win32/debug/pe-format) and the
// public winnt.h; the CodeView record of the debug directory: LLVM's docs "The PDB File Format".
#pragma once

#include <cstddef>
#include <cstdint>

#include "bytes/endian.h"

namespace icecore::pe {

inline constexpr std::uint16_t dosMagic = 0x5a4d;     // "MZ"
inline constexpr std::uint32_t ntSignature = 0x4550;  // "PE\0\0"
inline constexpr std::uint64_t dosNewHeader = 0x3c;   // e_lfanew
inline constexpr std::uint16_t optional32 = 0x10b, optional64 = 0x20b;
enum Machine : std::uint16_t {
    machineX86 = 0x14c,
    machineArm = 0x1c4,
    machineX64 = 0x8664,
    machineArm64 = 0xaa64,
};

struct FileHeader {
    Le16 machine, sectionCount;
    Le32 timestamp, symbolTable, symbolCount;
    Le16 optionalSize, characteristics;
};
static_assert(sizeof(FileHeader) == 20);

struct Optional32 {
    Le16 magic;
    std::byte linkerMajor, linkerMinor;
    Le32 codeSize, dataSize, bssSize, entry, codeBase, dataBase, imageBase, sectionAlignment,
        fileAlignment;
    Le16 versions[6];
    Le32 win32Version, imageSize, headersSize, checksum;
    Le16 subsystem, dllCharacteristics;
    Le32 stackReserve, stackCommit, heapReserve, heapCommit, loaderFlags, directoryCount;
};
static_assert(sizeof(Optional32) == 96 && offsetof(Optional32, imageSize) == 56);
struct Optional64 {
    Le16 magic;
    std::byte linkerMajor, linkerMinor;
    Le32 codeSize, dataSize, bssSize, entry, codeBase;
    Le64 imageBase;
    Le32 sectionAlignment, fileAlignment;
    Le16 versions[6];
    Le32 win32Version, imageSize, headersSize, checksum;
    Le16 subsystem, dllCharacteristics;
    Le64 stackReserve, stackCommit, heapReserve, heapCommit;
    Le32 loaderFlags, directoryCount;
};
static_assert(sizeof(Optional64) == 112 && offsetof(Optional64, imageSize) == 56);

struct DataDirectory {
    Le32 address, size;
};
inline constexpr std::size_t directoryExport = 0, directoryResource = 2, directoryException = 3,
                             directoryDebug = 6, directoryManaged = 14, directoryCount = 16;

struct Section {
    char name[8];
    Le32 virtualSize, address, rawSize, rawOffset, relocations, lineNumbers;
    Le16 relocationCount, lineNumberCount;
    Le32 characteristics;
};
static_assert(sizeof(Section) == 40);
inline constexpr std::uint32_t sectionExecute = 0x20000000, sectionRead = 0x40000000,
                               sectionWrite = 0x80000000;

struct ExportDirectory {
    Le32 flags, timestamp;
    Le16 major, minor;
    Le32 name, ordinalBase, functionCount, nameCount, functions, names, ordinals;
};
static_assert(sizeof(ExportDirectory) == 40);

struct DebugEntry {
    Le32 characteristics, timestamp;
    Le16 major, minor;
    Le32 type, size, address, offset;
};
static_assert(sizeof(DebugEntry) == 28);

struct ResourceDirectory {
    Le32 characteristics, timestamp;
    Le16 major, minor, namedCount, idCount;
};
static_assert(sizeof(ResourceDirectory) == 16);
struct ResourceEntry {
    Le32 id, offset;  // the offset's top bit: another directory
};
struct ResourceData {
    Le32 address, size, codePage, reserved;
};
inline constexpr std::uint32_t resourceSubdirectory = 0x80000000, resourceVersion = 16;

// VS_FIXEDFILEINFO, verrsrc.h.
struct FixedFileInfo {
    Le32 signature, structVersion, fileHigh, fileLow, productHigh, productLow, flagsMask, flags, os,
        type, subtype, dateHigh, dateLow;
};
static_assert(sizeof(FixedFileInfo) == 52);
inline constexpr std::uint32_t fixedFileSignature = 0xfeef04bd;

inline constexpr std::uint32_t codeViewRsds = 0x53445352, codeViewNb10 = 0x3031424e;

}  // namespace icecore::pe
