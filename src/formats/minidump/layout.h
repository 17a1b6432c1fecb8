// The on-disk structures and constants of minidumps.
// Sources: minidumpapiset.h, winnt.h and verrsrc.h of the Windows SDK; for the streams of Linux
// dumps Breakpad's minidump_format.h, for those of Mozilla and LLDB the lists in rust-minidump's
// format.rs and LLVM's MinidumpConstants.def. Our own streams: docs/formats.md.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bytes/endian.h"

namespace icecore::minidump {

inline constexpr std::uint32_t signature = 0x504d444d;  // "MDMP"
inline constexpr std::uint16_t version = 0xa793;        // low half; the high one is the writer's

struct Header {
    Le32 signature, version, streamCount, directoryRva, checksum, time;
    Le64 flags;
};
static_assert(sizeof(Header) == 32 && offsetof(Header, flags) == 24);

/// Where something lies in the file. An RVA is a file offset.
struct Location {
    Le32 size, rva;
};
static_assert(sizeof(Location) == 8);

struct Directory {
    Le32 type;
    Location location;
};
static_assert(sizeof(Directory) == 12);

struct MemoryDescriptor {
    Le64 start;
    Location memory;
};
static_assert(sizeof(MemoryDescriptor) == 16);

/// Of Memory64List: the data of all ranges lies one behind the other from the list's base on.
struct MemoryDescriptor64 {
    Le64 start, size;
};
static_assert(sizeof(MemoryDescriptor64) == 16);
struct Memory64Header {
    Le64 count, base;
};
static_assert(sizeof(Memory64Header) == 16);

struct RawThread {
    Le32 id, suspendCount, priorityClass, priority;
    Le64 teb;
    MemoryDescriptor stack;
    Location context;
};
static_assert(sizeof(RawThread) == 48 && offsetof(RawThread, context) == 40);

struct FixedFileInfo {
    Le32 signature, structVersion, fileVersionHigh, fileVersionLow, productVersionHigh,
        productVersionLow, flagsMask, flags, os, type, subtype, dateHigh, dateLow;
};
static_assert(sizeof(FixedFileInfo) == 52);
inline constexpr std::uint32_t fixedFileInfoSignature = 0xfeef04bd,
                               fixedFileInfoVersion = 0x00010000;

struct RawModule {
    Le64 base;
    Le32 size, checksum, time, nameRva;
    FixedFileInfo versionInfo;
    Location codeView, misc;
    Le64 reserved0, reserved1;
};
static_assert(sizeof(RawModule) == 108 && offsetof(RawModule, codeView) == 76);

// First word of a CodeView record.
inline constexpr std::uint32_t codeViewPdb70 = 0x53445352;    // "RSDS": GUID, age, name
inline constexpr std::uint32_t codeViewBuildId = 0x4270454c;  // "LEpB", Breakpad: the build-id
struct CodeViewPdb70 {
    Le32 signature;
    std::byte guid[16];
    Le32 age;
};
static_assert(sizeof(CodeViewPdb70) == 24);

struct RawUnloadedModule {
    Le64 base;
    Le32 size, checksum, time, nameRva;
};
static_assert(sizeof(RawUnloadedModule) == 24);

struct ExceptionRecord {
    Le32 code, flags;
    Le64 record, address;
    Le32 parameterCount, padding;
    Le64 parameters[15];
};
static_assert(sizeof(ExceptionRecord) == 152);
struct ExceptionStream {
    Le32 threadId, padding;
    ExceptionRecord record;
    Location context;
};
static_assert(sizeof(ExceptionStream) == 168);

struct RawSystemInfo {
    Le16 architecture, level, revision;
    std::uint8_t processorCount, productType;
    Le32 major, minor, build, platform, versionRva;
    Le16 suiteMask, reserved;
    Le32 cpuVendor[3], cpuVersion, cpuFeatures, cpuAmdFeatures;
};
static_assert(sizeof(RawSystemInfo) == 56 && offsetof(RawSystemInfo, platform) == 20);
inline constexpr std::uint16_t cpuX86 = 0, cpuArm = 5, cpuAmd64 = 9, cpuX86OnWin64 = 10,
                               cpuArm64 = 12, cpuArmOnWin64 = 13, cpuX86OnArm64 = 14,
                               cpuArm64Breakpad = 0x8003;
inline constexpr std::uint32_t platformWindows = 2, platformMac = 0x8101, platformIos = 0x8102,
                               platformLinux = 0x8201, platformAndroid = 0x8203;

/// MINIDUMP_MISC_INFO, 1 and 2; versions 3 to 5 append to it.
struct RawMiscInfo {
    Le32 size, flags, processId, createTime, userTime, kernelTime;
    Le32 maxMhz, currentMhz, mhzLimit, maxIdleState, currentIdleState;
};
static_assert(sizeof(RawMiscInfo) == 44);
inline constexpr std::size_t miscInfo1Size = 24, miscInfo3Size = 232, miscInfo4Size = 832,
                             miscInfo5Size = 1364;
inline constexpr std::uint32_t miscProcessId = 1, miscProcessTimes = 2, miscIntegrity = 0x10,
                               miscBuildString = 0x100;
// MINIDUMP_MISC_INFO_3: ProcessIntegrityLevel.
inline constexpr std::size_t miscIntegrityOffset = 44;
// MINIDUMP_MISC_INFO_4: BuildString, 260 UTF-16 units, behind 3's time zone.
inline constexpr std::size_t miscBuildStringOffset = 232, miscBuildStringSize = 520;

/// Before the entries of the lists that say how long they are (entries may grow in future).
struct ListHeader {
    Le32 headerSize, entrySize, count;
};
static_assert(sizeof(ListHeader) == 12);
struct ListHeader64 {
    Le32 headerSize, entrySize;
    Le64 count;
};
static_assert(sizeof(ListHeader64) == 16);

struct RawMemoryInfo {
    Le64 base, allocationBase;
    Le32 allocationProtect, padding1;
    Le64 size;
    Le32 state, protect, type, padding2;
};
static_assert(sizeof(RawMemoryInfo) == 48);
inline constexpr std::uint32_t stateCommit = 0x1000, stateReserve = 0x2000, stateFree = 0x10000;
inline constexpr std::uint32_t typePrivate = 0x20000, typeMapped = 0x40000, typeImage = 0x1000000;
inline constexpr std::uint32_t protectNone = 0x01, protectRead = 0x02, protectReadWrite = 0x04,
                               protectWriteCopy = 0x08, protectExecute = 0x10,
                               protectExecuteRead = 0x20, protectExecuteReadWrite = 0x40,
                               protectExecuteWriteCopy = 0x80, protectGuard = 0x100;

struct RawThreadInfo {
    Le32 id, dumpFlags, dumpError, exitStatus;
    Le64 createTime, exitTime, kernelTime, userTime, startAddress, affinity;
};
static_assert(sizeof(RawThreadInfo) == 64);
inline constexpr std::uint32_t threadInfoInvalid = 8;  // MINIDUMP_THREAD_INFO_INVALID_INFO

struct RawThreadName {
    Le32 id;
    Le64 nameRva;
};
static_assert(sizeof(RawThreadName) == 12);

struct HandleHeader {
    Le32 headerSize, entrySize, count, reserved;
};
static_assert(sizeof(HandleHeader) == 16);
struct HandleDescriptor {
    Le64 handle;
    Le32 typeNameRva, objectNameRva, attributes, grantedAccess, handleCount, pointerCount;
};
static_assert(sizeof(HandleDescriptor) == 32);
struct HandleDescriptor2 {
    HandleDescriptor first;
    Le32 objectInfoRva, reserved;
};
static_assert(sizeof(HandleDescriptor2) == 40);
struct ObjectInfo {
    Le32 nextRva, type, size;
};
static_assert(sizeof(ObjectInfo) == 12);
/// MINIDUMP_HANDLE_OBJECT_INFORMATION_TYPE. The content is what NtQuery… returns (ntdef.h, the
/// system's own width), as "the minidump does not describe the actual data".
enum ObjectInfoType : std::uint32_t {
    objectThread1 = 1,
    objectMutant1 = 2,  ///< MUTANT_BASIC_INFORMATION
    objectMutant2 = 3,  ///< MUTANT_OWNER_INFORMATION
    objectProcess1 = 4,
    objectProcess2 = 5,
    objectEvent1 = 6,  ///< EVENT_BASIC_INFORMATION
    objectSection1 = 7,
    objectSemaphore1 = 8,  ///< SEMAPHORE_BASIC_INFORMATION
};

/// Of TokenStream: a list header, then per token a header and the rest of its size as the system
/// returned it.
struct TokenListHeader {
    Le32 size, count, headerSize, elementHeaderSize;
};
static_assert(sizeof(TokenListHeader) == 16);
struct TokenHeader {
    Le32 size, id;  ///< size: of header and data; id: of the process or thread
    Le64 handle;
};
static_assert(sizeof(TokenHeader) == 16);

/// AVRF_HANDLE_OPERATION (avrfsdk.h): what Application Verifier saw done to a handle, and where.
struct HandleOperation {
    Le64 handle;
    Le32 processId, threadId, operation, spare;  ///< operation: 1 open, 2 close, 3 bad reference
    Le32 depth, index;
    Le64 returnAddresses[32];
};
static_assert(sizeof(HandleOperation) == 288);

/// Itanium's threads: a second stack. Nothing else writes ThreadExListStream.
struct RawThreadEx {
    RawThread thread;
    MemoryDescriptor backingStore;
};
static_assert(sizeof(RawThreadEx) == 64);

/// Of code that the process made itself: per table a descriptor, `nativeSize` bytes of the system's
/// own structure, then the entries, then padding.
struct FunctionTableHeader {
    Le32 headerSize, descriptorSize, nativeSize, entrySize, count, padding;
};
static_assert(sizeof(FunctionTableHeader) == 24);
struct FunctionTableDescriptor {
    Le64 minimum, maximum, base;
    Le32 entryCount, padding;  ///< padding: bytes behind the entries
};
static_assert(sizeof(FunctionTableDescriptor) == 32);

/// What Breakpad tells of the dynamic linker; the dynamic section's bytes follow.
struct DsoDebug64 {
    Le32 version, mapRva, count;
    Le64 brk, base, dynamic;
};
static_assert(sizeof(DsoDebug64) == 36);
struct LinkMap64 {
    Le64 bias;
    Le32 nameRva;
    Le64 dynamic;
};
static_assert(sizeof(LinkMap64) == 20);
struct DsoDebug32 {
    Le32 version, mapRva, count, brk, base, dynamic;
};
static_assert(sizeof(DsoDebug32) == 24);
struct LinkMap32 {
    Le32 bias, nameRva, dynamic;
};
static_assert(sizeof(LinkMap32) == 12);

/// Which thread asked for the dump, in Breakpad's and Crashpad's Linux dumps.
struct BreakpadInfo {
    Le32 validity, dumpThread, requestingThread;
};
static_assert(sizeof(BreakpadInfo) == 12);

/// Breakpad on Windows: a failed assertion, in UTF-16.
struct AssertionInfo {
    Le16 expression[128], function[128], file[128];
    Le32 line, type;
};
static_assert(sizeof(AssertionInfo) == 776);

/// Mozilla's, of macOS: what libraries leave in __DATA,__crash_info (Breakpad's minidump_format.h
/// with Mozilla's patches, and rust-minidump's). A record's texts stand behind `recordStart` bytes.
struct MacCrashInfo {
    Le32 streamType, recordCount, recordStart;
    Location records[20];
};
static_assert(sizeof(MacCrashInfo) == 172);
struct MacCrashRecord {
    Le64 streamType, version;
    Le64 thread, dialogMode;  ///< version 4 and later
    Le64 abortCause;          ///< version 5 and later
};
static_assert(sizeof(MacCrashRecord) == 40);
struct MacBootArguments {
    Le32 streamType;
    Le64 textRva;  ///< MINIDUMP_STRING
};
static_assert(sizeof(MacBootArguments) == 12);

/// Crashpad's (minidump_extensions.h). Older ones end before `reserved`.
struct CrashpadInfo {
    Le32 version;
    std::byte reportId[16], clientId[16];
    Location simpleAnnotations, moduleList;
    Le32 reserved;
    Le64 addressMask;
};
static_assert(sizeof(CrashpadInfo) == 64);
inline constexpr std::size_t crashpadInfoOldSize = 52;
struct CrashpadEntry {
    Le32 keyRva, valueRva;  ///< UTF-8 strings
};
static_assert(sizeof(CrashpadEntry) == 8);
struct CrashpadModuleLink {
    Le32 moduleIndex;  ///< into the list of modules
    Location info;
};
static_assert(sizeof(CrashpadModuleLink) == 12);
struct CrashpadModule {
    Le32 version;
    Location listAnnotations, simpleAnnotations, annotationObjects;
};
static_assert(sizeof(CrashpadModule) == 28);
struct CrashpadAnnotation {
    Le32 nameRva;
    Le16 type, reserved;
    Le32 valueRva;
};
static_assert(sizeof(CrashpadAnnotation) == 12);
inline constexpr std::uint16_t crashpadString = 1;

// Stream types.
enum Stream : std::uint32_t {
    streamUnused = 0,
    streamThreadList = 3,
    streamModuleList = 4,
    streamMemoryList = 5,
    streamException = 6,
    streamSystemInfo = 7,
    streamThreadExList = 8,
    streamMemory64List = 9,
    streamCommentA = 10,
    streamCommentW = 11,
    streamHandleData = 12,
    streamFunctionTable = 13,
    streamUnloadedModuleList = 14,
    streamMiscInfo = 15,
    streamMemoryInfoList = 16,
    streamThreadInfoList = 17,
    streamHandleOperationList = 18,
    streamToken = 19,
    streamJavaScriptData = 20,
    streamSystemMemoryInfo = 21,
    streamProcessVmCounters = 22,
    streamIptTrace = 23,
    streamThreadNames = 24,
    streamBreakpadInfo = 0x47670001,
    streamAssertionInfo = 0x47670002,
    streamLinuxCmdline = 0x47670006,
    streamLinuxEnviron = 0x47670007,
    streamLinuxAuxv = 0x47670008,
    streamLinuxMaps = 0x47670009,
    streamLinuxDsoDebug = 0x4767000a,
    streamCrashpadInfo = 0x43500001,
    streamMacCrashInfo = 0x4d7a0001,
    streamMacBootArguments = 0x4d7a0002,
    streamMozillaLimits = 0x4d7a0003,
    // Ours: "IC" (docs/formats.md).
    streamInfo = 0x49430001,         ///< records, as in the note of a core
    streamUnread = 0x49430002,       ///< UnreadPointer
    streamThreads = 0x49430003,      ///< records, as in the note of a core
    streamThreadState = 0x49430004,  ///< ListHeader64, then RawThreadState
    streamRegions = 0x49430005,      ///< records, as in the note of a core
    streamSignalInfo = 0x49430006,   ///< siginfo_t as the kernel gave it
    streamZeroRanges = 0x49430007,   ///< ListHeader64, then ZeroRange
    streamAttachment = 0x49430008,   ///< name, NUL, content; may be there several times
    streamProcess = 0x49430009,      ///< one record: what a core has in NT_PRPSINFO
};

/// What Linux knows of a thread and no other stream holds.
struct RawThreadState {
    Le64 id, fsBase, gsBase, originalRax, threadPointer, pendingSignals, blockedSignals;
    Le32 currentSignal, present;
};
static_assert(sizeof(RawThreadState) == 64);
/// Bits of RawThreadState::present.
inline constexpr std::uint32_t hasFsBase = 1, hasGsBase = 2, hasOriginalRax = 4,
                               hasThreadPointer = 8;

/// Where the list of ranges without bytes lies: behind all memory, as it is complete only then.
struct UnreadPointer {
    Le64 offset;
};
static_assert(sizeof(UnreadPointer) == 8);
/// The list: ListHeader64, then these.
struct UnreadRange {
    Le64 start, size;
    Le32 absence, reserved;  ///< absence: unread…
};
static_assert(sizeof(UnreadRange) == 24);
inline constexpr std::uint32_t unreadFailed = 1, unreadNotMapped = 2, unreadNotCaptured = 3,
                               unreadTruncated = 4, unreadNotPresent = 5;

/// Memory that is all zero and not stored.
struct ZeroRange {
    Le64 start, size;
};
static_assert(sizeof(ZeroRange) == 16);

/// The type of our ObjectInfo: a file position, 8 bytes.
inline constexpr std::uint32_t objectInfoPosition = 0x49430001;

}  // namespace icecore::minidump
