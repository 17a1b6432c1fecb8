// The on-disk structures of Windows' kernel dumps, and those of the kernel itself that are needed
// to read them. Sources: Microsoft's published ntiodump.h (DUMP_HEADER32/64, SUMMARY_DUMP32/64,
// TRIAGE_DUMP32/64, DUMP_DRIVER_ENTRY32/64, DUMP_UNLOADED_DRIVERS32/64, DUMP_STRING), ntldr.h
// (KLDR_DATA_TABLE_ENTRY32/64), wdbgexts.h (KDDEBUGGER_DATA64), ntosp.h (KTRAP_FRAME,
// UNLOADED_DRIVERS); for the forms that came later (bitmaps with 64-bit counts, RDMP) the public
// readers agree (kdmp-parser, Rekall, rizin).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "bytes/endian.h"

namespace icecore::winkernel {

inline constexpr std::uint32_t signaturePage = 0x45474150;  // "PAGE"
inline constexpr std::uint32_t valid64 = 0x34365544;        // "DU64"
inline constexpr std::uint32_t valid32 = 0x504d5544;        // "DUMP"
inline constexpr std::uint64_t headerSize = 0x2000, headerSize32 = 0x1000, pageSize = 0x1000;
/// What unused bytes of a header repeat.
inline constexpr std::string_view filler = "PAGE";

struct PhysicalRun {
    Le64 basePage, pageCount;
};
static_assert(sizeof(PhysicalRun) == 16);
/// As many as fit into the 700 bytes of the memory block.
inline constexpr std::uint32_t mostRuns = (700 - 16) / sizeof(PhysicalRun);

struct Header64 {
    Le32 signature, valid, majorVersion, build;
    Le64 directoryTable, pfnDatabase, loadedModules, activeProcesses;
    Le32 machine, processors, bugCheck, padding0;
    Le64 parameters[4];
    char versionUser[32];
    Le64 debuggerData;
    Le32 runCount, padding1;
    Le64 pageCount;
    PhysicalRun runs[mostRuns];
    std::byte restOfBlock[700 - 16 - mostRuns * sizeof(PhysicalRun)];
    std::byte padding2[4];
    std::byte context[3000];
    std::byte exception[152];  ///< EXCEPTION_RECORD64
    Le32 type, padding3;
    Le64 requiredSpace, systemTime;
    char comment[128];
    Le64 upTime;
    Le32 miniDumpFields, secondaryState, productType, suiteMask, writerStatus;
};
static_assert(offsetof(Header64, machine) == 0x30 && offsetof(Header64, bugCheck) == 0x38 &&
              offsetof(Header64, parameters) == 0x40 && offsetof(Header64, debuggerData) == 0x80 &&
              offsetof(Header64, runCount) == 0x88 && offsetof(Header64, context) == 0x348 &&
              offsetof(Header64, exception) == 0xf00 && offsetof(Header64, type) == 0xf98 &&
              offsetof(Header64, systemTime) == 0xfa8 && offsetof(Header64, upTime) == 0x1030);

struct PhysicalRun32 {
    Le32 basePage, pageCount;
};
static_assert(sizeof(PhysicalRun32) == 8);
inline constexpr std::uint32_t mostRuns32 = (700 - 8) / sizeof(PhysicalRun32);

struct Header32 {
    Le32 signature, valid, majorVersion, build;
    Le32 directoryTable, pfnDatabase, loadedModules, activeProcesses;
    Le32 machine, processors, bugCheck;
    Le32 parameters[4];
    char versionUser[32];
    std::uint8_t paeEnabled, secondaryVersion, padding0[2];
    Le32 debuggerData;
    Le32 runCount, pageCount;
    PhysicalRun32 runs[mostRuns32];
    std::byte restOfBlock[700 - 8 - mostRuns32 * sizeof(PhysicalRun32)];
    std::byte context[1200];
    std::byte exception[80];  ///< EXCEPTION_RECORD32
    char comment[128];
    std::byte reserved0[1768];
    Le32 type, miniDumpFields, secondaryState, productType, suiteMask, writerStatus;
    Le64 requiredSpace;
    std::byte reserved1[16];
    Le64 upTime, systemTime;
    std::byte reserved2[56];
};
static_assert(sizeof(Header32) == headerSize32 && offsetof(Header32, bugCheck) == 0x28 &&
              offsetof(Header32, paeEnabled) == 0x5c && offsetof(Header32, debuggerData) == 0x60 &&
              offsetof(Header32, runCount) == 0x64 && offsetof(Header32, context) == 0x320 &&
              offsetof(Header32, exception) == 0x7d0 && offsetof(Header32, comment) == 0x820 &&
              offsetof(Header32, type) == 0xf88 && offsetof(Header32, systemTime) == 0xfc0);

/// EXCEPTION_RECORD of the kernel's own width.
struct ExceptionRecord64 {
    Le32 code, flags;
    Le64 record, address;
    Le32 parameterCount, padding;
    Le64 parameters[15];
};
static_assert(sizeof(ExceptionRecord64) == 152);
struct ExceptionRecord32 {
    Le32 code, flags, record, address, parameterCount, parameters[15];
};
static_assert(sizeof(ExceptionRecord32) == 80);

enum DumpKind : std::uint32_t {
    kindFull = 1,
    kindSummary = 2,
    kindTriage = 4,
    kindBitmapFull = 5,
    kindBitmapKernel = 6,
    kindKernel = 8,         ///< `.dump /k` and the task manager's live dumps
    kindKernelAndUser = 9,  ///< `.dump /ka`
    kindComplete = 10,      ///< `.dump /f`
};

/// Type 2: behind the header; the bitmap's words follow.
struct SummaryHeader64 {
    Le32 signature, valid;  ///< "SDMP", "DUMP"
    Le32 options, headerSize, bitmapBits, pages;
    Le32 sizeOfBitmap, padding;
    Le64 buffer;
};
static_assert(sizeof(SummaryHeader64) == 0x28);
struct SummaryHeader32 {
    Le32 signature, valid;
    Le32 options, headerSize, bitmapBits, pages;
    Le32 sizeOfBitmap, buffer;
};
static_assert(sizeof(SummaryHeader32) == 0x20);

/// Types 8, 9 and 10; the list of ranges of pages follows, the pages behind it.
struct RangesHeader {
    Le32 marker;            ///< 0x40
    Le32 signature, valid;  ///< "RDMP", "DUMP"
    Le32 unknown0;
    Le64 metadataSize;  ///< from `rangeCount` to the first page
    Le64 firstPage;     ///< offset in the file
    Le64 rangeCount;    ///< of type 10 only
    Le64 pageCount;     ///< of type 10 only
};
static_assert(sizeof(RangesHeader) == 0x30);
inline constexpr std::uint32_t rangesMarker = 0x40, rangesSignature = 0x504d4452;
struct PageRange {
    Le64 firstPage, pageCount;
};
static_assert(sizeof(PageRange) == 16);

/// Behind the header of the bitmap forms; the bitmap follows, one bit a page.
struct BitmapHeader {
    Le32 signature, valid;  ///< "SDMP" or "FDMP", then "DUMP"
    std::byte unknown[24];
    Le64 firstPage;  ///< offset in the file of the first page present
    Le64 present, pages;
};
static_assert(sizeof(BitmapHeader) == 0x38);
inline constexpr std::uint32_t bitmapSummary = 0x504d4453, bitmapFull = 0x504d4446,
                               bitmapValid = 0x504d5544;

struct TriageHeader {
    Le32 servicePack, dumpSize, validOffset, contextOffset, exceptionOffset, mmOffset,
        unloadedOffset, prcbOffset, processOffset, threadOffset, callStackOffset, callStackSize,
        driverListOffset, driverCount, stringPoolOffset, stringPoolSize, brokenDriverOffset,
        options;
    Le64 topOfStack, itanium[2], dataPageAddress;
    Le32 dataPageOffset, dataPageSize, debuggerDataOffset, debuggerDataSize, dataBlocksOffset,
        dataBlocksCount;
};
static_assert(sizeof(TriageHeader) == 0x80 && offsetof(TriageHeader, topOfStack) == 0x48 &&
              offsetof(TriageHeader, dataBlocksOffset) == 0x78);

/// The last word of a triage dump, at TriageHeader::validOffset: what lies before it is whole.
inline constexpr std::uint32_t triageValid = 0x44475254;  // "TRGD"
struct TriageHeader32 {
    Le32 servicePack, dumpSize, validOffset, contextOffset, exceptionOffset, mmOffset,
        unloadedOffset, prcbOffset, processOffset, threadOffset, callStackOffset, callStackSize,
        driverListOffset, driverCount, stringPoolOffset, stringPoolSize, brokenDriverOffset,
        options;
    Le32 topOfStack, dataPageAddress, dataPageOffset, dataPageSize, debuggerDataOffset,
        debuggerDataSize, dataBlocksOffset, dataBlocksCount;
};
static_assert(sizeof(TriageHeader32) == 0x68);

struct UnicodeString64 {
    Le16 length, room;
    Le32 padding;
    Le64 buffer;
};
static_assert(sizeof(UnicodeString64) == 16);
struct UnicodeString32 {
    Le16 length, room;
    Le32 buffer;
};
static_assert(sizeof(UnicodeString32) == 8);

/// KLDR_DATA_TABLE_ENTRY as dumps hold it; newer kernels append to it in their own memory and
/// move the time stamp there (to `movedTimestamp64`), never in a dump.
struct LoadedModule64 {
    Le64 next, previous, exceptionTable;
    Le32 exceptionTableSize, padding0;
    Le64 gp, debugInfo, base, entry;
    Le32 imageSize, padding1;
    UnicodeString64 fullName, baseName;
    Le32 flags;
    Le16 loadCount, unused;
    Le64 section;
    Le32 checksum, padding2, timestamp, padding3;
};
static_assert(sizeof(LoadedModule64) == 0x88 && offsetof(LoadedModule64, base) == 0x30 &&
              offsetof(LoadedModule64, fullName) == 0x48 &&
              offsetof(LoadedModule64, timestamp) == 0x80);
inline constexpr std::uint64_t movedTimestamp64 = 0x9c, movedTimestamp32 = 0x58;
/// Windows 10.
inline constexpr std::uint32_t firstBuildWithMovedTimestamp = 10240;
struct LoadedModule32 {
    Le32 next, previous, exceptionTable, exceptionTableSize, gp, debugInfo, base, entry, imageSize;
    UnicodeString32 fullName, baseName;
    Le32 flags;
    Le16 loadCount, unused;
    Le32 section, checksum, timestamp;
};
static_assert(sizeof(LoadedModule32) == 0x48 && offsetof(LoadedModule32, base) == 0x18 &&
              offsetof(LoadedModule32, fullName) == 0x24 &&
              offsetof(LoadedModule32, timestamp) == 0x44);

struct TriageDriver64 {
    Le32 nameOffset, padding;
    LoadedModule64 entry;
};
static_assert(sizeof(TriageDriver64) == 0x90);
struct TriageDriver32 {
    Le32 nameOffset;
    LoadedModule32 entry;
};
static_assert(sizeof(TriageDriver32) == 0x4c);

/// Of a triage dump, behind a count of the kernel's width.
struct UnloadedDriver64 {
    UnicodeString64 name;
    Le16 text[12];  ///< as much of the name as fits
    Le64 begin, end;
};
static_assert(sizeof(UnloadedDriver64) == 0x38);
struct UnloadedDriver32 {
    UnicodeString32 name;
    Le16 text[12];
    Le32 begin, end;
};
static_assert(sizeof(UnloadedDriver32) == 0x28);
/// Of the kernel's memory (MmUnloadedDrivers), a ring of so many.
inline constexpr std::uint32_t unloadedInMemory = 50;
struct UnloadedInMemory64 {
    UnicodeString64 name;
    Le64 begin, end, time;
};
static_assert(sizeof(UnloadedInMemory64) == 0x28);
struct UnloadedInMemory32 {
    UnicodeString32 name;
    Le32 begin, end;
    Le64 time;
};
static_assert(sizeof(UnloadedInMemory32) == 0x18);

/// TRIAGE_DATA_BLOCK, the same for both widths.
struct TriageBlock {
    Le64 address;
    Le32 offset, size;
};
static_assert(sizeof(TriageBlock) == 16);

// KDDEBUGGER_DATA64, the same for both widths: pointers have 64 bits, sign-extended.
inline constexpr std::uint32_t debuggerDataTag = 0x4742444b;  // "KDBG"
namespace debugger_data {
enum : std::uint32_t {
    tag = 0x10,
    size = 0x14,
    kernelBase = 0x18,
    processorBlock = 0x218,   ///< KiProcessorBlock, an array of pointers to KPRCBs
    unloadedDrivers = 0x220,  ///< MmUnloadedDrivers, a pointer to the ring
    threadTeb = 0x29a,        // offsets within the kernel's own structures, 16 bits each
    threadInitialStack = 0x29e,
    threadProcess = 0x2a0,
    processSize = 0x2a8,
    processPeb = 0x2aa,
    processDirectoryTable = 0x2ae,
    prcbSize = 0x2b0,
    prcbCurrentThread = 0x2b4,
    prcbContext = 0x2bc,  ///< the CONTEXT inside the KPRCB
    prcbNumber = 0x2be,
    threadSize = 0x2c0,
    prcbContextPointer = 0x338,  ///< a pointer to the CONTEXT, of newer kernels
    wanted = 0x340,              ///< bytes that are read
};
}

}  // namespace icecore::winkernel
