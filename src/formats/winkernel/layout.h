// The on-disk structures of Windows' 64-bit kernel dumps.
// Sources: Microsoft's published ntiodump.h (DUMP_HEADER64, TRIAGE_DUMP64, DUMP_DRIVER_ENTRY64,
// DUMP_STRING), ntldr.h (KLDR_DATA_TABLE_ENTRY); for the bitmap forms, which came later, the public
// readers agree (kdmp-parser, Volatility, rizin).
#pragma once

#include <cstddef>
#include <cstdint>

#include "bytes/endian.h"

namespace icecore::winkernel {

inline constexpr std::uint32_t signaturePage = 0x45474150;  // "PAGE"
inline constexpr std::uint32_t valid64 = 0x34365544;        // "DU64"
inline constexpr std::uint64_t headerSize = 0x2000, pageSize = 0x1000;

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

enum DumpKind : std::uint32_t {
    kindFull = 1,
    kindTriage = 4,
    kindBitmapFull = 5,
    kindBitmapKernel = 6,
    kindLive8 = 8,
    kindLive9 = 9,
    kindLiveA = 10,
};

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

struct UnicodeString {
    Le16 length, room;
    Le32 padding;
    Le64 buffer;
};
static_assert(sizeof(UnicodeString) == 16);
struct LoadedModule {
    Le64 next, previous, exceptionTable;
    Le32 exceptionTableSize, padding0;
    Le64 gp, debugInfo, base, entry;
    Le32 imageSize, padding1;
    UnicodeString fullName, baseName;
    Le32 flags;
    Le16 loadCount, unused;
    Le64 section;
    Le32 checksum, coverageSize;
    Le64 coverage, imports, spare;
    Le32 sizeNotRounded, timestamp;
};
static_assert(sizeof(LoadedModule) == 0xa0 && offsetof(LoadedModule, base) == 0x30 &&
              offsetof(LoadedModule, fullName) == 0x48 &&
              offsetof(LoadedModule, timestamp) == 0x9c);
struct TriageDriver {
    Le32 nameOffset, padding;
    LoadedModule entry;
};
static_assert(sizeof(TriageDriver) == 0xa8);
struct TriageBlock {
    Le64 address;
    Le32 offset, size;
};
static_assert(sizeof(TriageBlock) == 16);

}  // namespace icecore::winkernel
