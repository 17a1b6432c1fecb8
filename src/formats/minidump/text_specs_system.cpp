// Structures of the streams that tell of the system, the process' use of it, and of what crash
// reporters add.
#include "formats/minidump/layout.h"
#include "formats/minidump/text_specs.h"

namespace icecore::minidump {

namespace {

using enum FieldKind;

/// MINIDUMP_MISC_INFO's versions each append to the one before.
template <std::size_t A, std::size_t B>
constexpr std::array<FieldSpec, A + B> appended(const std::array<FieldSpec, A>& first,
                                                const std::array<FieldSpec, B>& more) {
    std::array<FieldSpec, A + B> out{};
    for (std::size_t i = 0; i < A; ++i)
        out[i] = first[i];
    for (std::size_t i = 0; i < B; ++i)
        out[A + i] = more[i];
    return out;
}
constexpr std::array miscInfo = {
    FieldSpec{"SizeOfInfo", count, 4},      FieldSpec{"Flags1", number, 4},
    FieldSpec{"ProcessId", count, 4},       FieldSpec{"ProcessCreateTime", count, 4},
    FieldSpec{"ProcessUserTime", count, 4}, FieldSpec{"ProcessKernelTime", count, 4},
};
constexpr std::array added2 = {
    FieldSpec{"ProcessorMaxMhz", count, 4},           FieldSpec{"ProcessorCurrentMhz", count, 4},
    FieldSpec{"ProcessorMhzLimit", count, 4},         FieldSpec{"ProcessorMaxIdleState", count, 4},
    FieldSpec{"ProcessorCurrentIdleState", count, 4},
};
constexpr auto miscInfo2 = appended(miscInfo, added2);
constexpr std::array added3 = {
    FieldSpec{"ProcessIntegrityLevel", number, 4},
    FieldSpec{"ProcessExecuteFlags", number, 4},
    FieldSpec{"ProtectedProcess", number, 4},
    FieldSpec{"TimeZoneId", number, 4},
    FieldSpec{"TimeZoneBias", signed_count, 4},
    FieldSpec{"TimeZoneStandardName", utf16, 64},
    FieldSpec{"TimeZoneStandardDate", bytes, 16},
    FieldSpec{"TimeZoneStandardBias", signed_count, 4},
    FieldSpec{"TimeZoneDaylightName", utf16, 64},
    FieldSpec{"TimeZoneDaylightDate", bytes, 16},
    FieldSpec{"TimeZoneDaylightBias", signed_count, 4},
};
constexpr auto miscInfo3 = appended(miscInfo2, added3);
constexpr std::array added4 = {
    FieldSpec{"BuildString", utf16, 520},
    FieldSpec{"DbgBldStr", utf16, 80},
};
constexpr auto miscInfo4 = appended(miscInfo3, added4);
constexpr std::array added5 = {
    FieldSpec{"XStateSizeOfInfo", count, 4},       FieldSpec{"XStateContextSize", count, 4},
    FieldSpec{"XStateEnabledFeatures", number, 8}, FieldSpec{"XStateFeatures", bytes, 512},
    FieldSpec{"ProcessCookie", number, 4},
};
constexpr auto miscInfo5 = appended(miscInfo4, added5);
constexpr std::array vmCounters1 = {
    FieldSpec{"Revision", count, 2},
    FieldSpec{"Padding", number, 2},
    FieldSpec{"PageFaultCount", count, 4},
    FieldSpec{"PeakWorkingSetSize", count, 8},
    FieldSpec{"WorkingSetSize", count, 8},
    FieldSpec{"QuotaPeakPagedPoolUsage", count, 8},
    FieldSpec{"QuotaPagedPoolUsage", count, 8},
    FieldSpec{"QuotaPeakNonPagedPoolUsage", count, 8},
    FieldSpec{"QuotaNonPagedPoolUsage", count, 8},
    FieldSpec{"PagefileUsage", count, 8},
    FieldSpec{"PeakPagefileUsage", count, 8},
    FieldSpec{"PrivateUsage", count, 8},
};
constexpr std::array vmCounters2 = {
    FieldSpec{"Revision", count, 2},
    FieldSpec{"Flags", number, 2},
    FieldSpec{"PageFaultCount", count, 4},
    FieldSpec{"PeakWorkingSetSize", count, 8},
    FieldSpec{"WorkingSetSize", count, 8},
    FieldSpec{"QuotaPeakPagedPoolUsage", count, 8},
    FieldSpec{"QuotaPagedPoolUsage", count, 8},
    FieldSpec{"QuotaPeakNonPagedPoolUsage", count, 8},
    FieldSpec{"QuotaNonPagedPoolUsage", count, 8},
    FieldSpec{"PagefileUsage", count, 8},
    FieldSpec{"PeakPagefileUsage", count, 8},
    FieldSpec{"PeakVirtualSize", count, 8},
    FieldSpec{"VirtualSize", count, 8},
    FieldSpec{"PrivateUsage", count, 8},
    FieldSpec{"PrivateWorkingSetSize", count, 8},
    FieldSpec{"SharedCommitUsage", count, 8},
    FieldSpec{"JobSharedCommitUsage", count, 8},
    FieldSpec{"JobPrivateCommitUsage", count, 8},
    FieldSpec{"JobPeakPrivateCommitUsage", count, 8},
    FieldSpec{"JobPrivateCommitLimit", count, 8},
    FieldSpec{"JobTotalCommitLimit", count, 8},
};
constexpr std::array systemMemory = {
    FieldSpec{"Revision", count, 2},
    FieldSpec{"Flags", number, 2},
    FieldSpec{"TimerResolution", count, 4},
    FieldSpec{"PageSize", count, 4},
    FieldSpec{"NumberOfPhysicalPages", count, 4},
    FieldSpec{"LowestPhysicalPageNumber", count, 4},
    FieldSpec{"HighestPhysicalPageNumber", count, 4},
    FieldSpec{"AllocationGranularity", count, 4},
    FieldSpec{"MinimumUserModeAddress", number, 8},
    FieldSpec{"MaximumUserModeAddress", number, 8},
    FieldSpec{"ActiveProcessorsAffinityMask", number, 8},
    FieldSpec{"NumberOfProcessors", count, 4},
    FieldSpec{"FileCacheCurrentSize", count, 8},
    FieldSpec{"FileCachePeakSize", count, 8},
    FieldSpec{"FileCachePageFaultCount", count, 4},
    FieldSpec{"FileCacheMinimumWorkingSet", count, 8},
    FieldSpec{"FileCacheMaximumWorkingSet", count, 8},
    FieldSpec{"FileCacheCurrentSizeIncludingTransitionInPages", count, 8},
    FieldSpec{"FileCachePeakSizeIncludingTransitionInPages", count, 8},
    FieldSpec{"FileCacheTransitionRePurposeCount", count, 4},
    FieldSpec{"FileCacheFlags", number, 4},
    FieldSpec{"BasicAvailablePages", count, 8},
    FieldSpec{"BasicCommittedPages", count, 8},
    FieldSpec{"BasicCommitLimit", count, 8},
    FieldSpec{"BasicPeakCommitment", count, 8},
    FieldSpec{"IdleProcessTime", count, 8},
    FieldSpec{"IoReadTransferCount", count, 8},
    FieldSpec{"IoWriteTransferCount", count, 8},
    FieldSpec{"IoOtherTransferCount", count, 8},
    FieldSpec{"IoReadOperationCount", count, 4},
    FieldSpec{"IoWriteOperationCount", count, 4},
    FieldSpec{"IoOtherOperationCount", count, 4},
    FieldSpec{"AvailablePages", count, 4},
    FieldSpec{"CommittedPages", count, 4},
    FieldSpec{"CommitLimit", count, 4},
    FieldSpec{"PeakCommitment", count, 4},
    FieldSpec{"PageFaultCount", count, 4},
    FieldSpec{"CopyOnWriteCount", count, 4},
    FieldSpec{"TransitionCount", count, 4},
    FieldSpec{"CacheTransitionCount", count, 4},
    FieldSpec{"DemandZeroCount", count, 4},
    FieldSpec{"PageReadCount", count, 4},
    FieldSpec{"PageReadIoCount", count, 4},
    FieldSpec{"CacheReadCount", count, 4},
    FieldSpec{"CacheIoCount", count, 4},
    FieldSpec{"DirtyPagesWriteCount", count, 4},
    FieldSpec{"DirtyWriteIoCount", count, 4},
    FieldSpec{"MappedPagesWriteCount", count, 4},
    FieldSpec{"MappedWriteIoCount", count, 4},
    FieldSpec{"PagedPoolPages", count, 4},
    FieldSpec{"NonPagedPoolPages", count, 4},
    FieldSpec{"PagedPoolAllocs", count, 4},
    FieldSpec{"PagedPoolFrees", count, 4},
    FieldSpec{"NonPagedPoolAllocs", count, 4},
    FieldSpec{"NonPagedPoolFrees", count, 4},
    FieldSpec{"FreeSystemPtes", count, 4},
    FieldSpec{"ResidentSystemCodePage", count, 4},
    FieldSpec{"TotalSystemDriverPages", count, 4},
    FieldSpec{"TotalSystemCodePages", count, 4},
    FieldSpec{"NonPagedPoolLookasideHits", count, 4},
    FieldSpec{"PagedPoolLookasideHits", count, 4},
    FieldSpec{"AvailablePagedPoolPages", count, 4},
    FieldSpec{"ResidentSystemCachePage", count, 4},
    FieldSpec{"ResidentPagedPoolPage", count, 4},
    FieldSpec{"ResidentSystemDriverPage", count, 4},
    FieldSpec{"CcFastReadNoWait", count, 4},
    FieldSpec{"CcFastReadWait", count, 4},
    FieldSpec{"CcFastReadResourceMiss", count, 4},
    FieldSpec{"CcFastReadNotPossible", count, 4},
    FieldSpec{"CcFastMdlReadNoWait", count, 4},
    FieldSpec{"CcFastMdlReadWait", count, 4},
    FieldSpec{"CcFastMdlReadResourceMiss", count, 4},
    FieldSpec{"CcFastMdlReadNotPossible", count, 4},
    FieldSpec{"CcMapDataNoWait", count, 4},
    FieldSpec{"CcMapDataWait", count, 4},
    FieldSpec{"CcMapDataNoWaitMiss", count, 4},
    FieldSpec{"CcMapDataWaitMiss", count, 4},
    FieldSpec{"CcPinMappedDataCount", count, 4},
    FieldSpec{"CcPinReadNoWait", count, 4},
    FieldSpec{"CcPinReadWait", count, 4},
    FieldSpec{"CcPinReadNoWaitMiss", count, 4},
    FieldSpec{"CcPinReadWaitMiss", count, 4},
    FieldSpec{"CcCopyReadNoWait", count, 4},
    FieldSpec{"CcCopyReadWait", count, 4},
    FieldSpec{"CcCopyReadNoWaitMiss", count, 4},
    FieldSpec{"CcCopyReadWaitMiss", count, 4},
    FieldSpec{"CcMdlReadNoWait", count, 4},
    FieldSpec{"CcMdlReadWait", count, 4},
    FieldSpec{"CcMdlReadNoWaitMiss", count, 4},
    FieldSpec{"CcMdlReadWaitMiss", count, 4},
    FieldSpec{"CcReadAheadIos", count, 4},
    FieldSpec{"CcLazyWriteIos", count, 4},
    FieldSpec{"CcLazyWritePages", count, 4},
    FieldSpec{"CcDataFlushes", count, 4},
    FieldSpec{"CcDataPages", count, 4},
    FieldSpec{"ContextSwitches", count, 4},
    FieldSpec{"FirstLevelTbFills", count, 4},
    FieldSpec{"SecondLevelTbFills", count, 4},
    FieldSpec{"SystemCalls", count, 4},
    FieldSpec{"CcTotalDirtyPages", count, 8},
    FieldSpec{"CcDirtyPageThreshold", count, 8},
    FieldSpec{"ResidentAvailablePages", count, 8},
    FieldSpec{"SharedCommittedPages", count, 8},
};
constexpr std::array addedMemory = {
    FieldSpec{"MdlPagesAllocated", count, 8},
    FieldSpec{"PfnDatabaseCommittedPages", count, 8},
    FieldSpec{"SystemPageTableCommittedPages", count, 8},
    FieldSpec{"ContiguousPagesAllocated", count, 8},
};
constexpr auto systemMemory2 = appended(systemMemory, addedMemory);
constexpr std::array tokenList = {
    FieldSpec{"TokenListSize", count, 4},
    FieldSpec{"TokenListEntries", count, 4},
    FieldSpec{"ListHeaderSize", count, 4},
    FieldSpec{"ElementHeaderSize", count, 4},
};
constexpr std::array tokenHeader = {
    FieldSpec{"TokenSize", count, 4},
    FieldSpec{"TokenId", count, 4},
    FieldSpec{"TokenHandle", number, 8},
    FieldSpec{"Data", bytes, 0},
};
constexpr std::array handleOperation = {
    FieldSpec{"Handle", number, 8},         FieldSpec{"ProcessId", count, 4},
    FieldSpec{"ThreadId", count, 4},        FieldSpec{"OperationType", count, 4},
    FieldSpec{"Spare0", number, 4},         FieldSpec{"Depth", count, 4},
    FieldSpec{"Index", count, 4},           FieldSpec{"ReturnAddress0", number, 8},
    FieldSpec{"ReturnAddress1", number, 8}, FieldSpec{"ReturnAddress2", number, 8},
    FieldSpec{"ReturnAddress3", number, 8}, FieldSpec{"MoreReturnAddresses", bytes, 224},
};
constexpr std::array objectInfo = {
    FieldSpec{"NextInfoRva", number, 4},
    FieldSpec{"InfoType", count, 4},
    FieldSpec{"SizeOfInfo", count, 4},
    FieldSpec{"Info", bytes, 0},
};
constexpr std::array functionTables = {
    FieldSpec{"SizeOfHeader", count, 4},           FieldSpec{"SizeOfDescriptor", count, 4},
    FieldSpec{"SizeOfNativeDescriptor", count, 4}, FieldSpec{"SizeOfFunctionEntry", count, 4},
    FieldSpec{"NumberOfDescriptors", count, 4},    FieldSpec{"SizeOfAlignPad", count, 4},
};
constexpr std::array functionTable = {
    FieldSpec{"MinimumAddress", number, 8}, FieldSpec{"MaximumAddress", number, 8},
    FieldSpec{"BaseAddress", number, 8},    FieldSpec{"EntryCount", count, 4},
    FieldSpec{"SizeOfAlignPad", count, 4},
};
constexpr std::array utf8String = {
    FieldSpec{"Length", count, 4},
    FieldSpec{"Buffer", text, 0},
};
constexpr std::array byteArray = {
    FieldSpec{"Length", count, 4},
    FieldSpec{"Bytes", bytes, 0},
};
constexpr std::array wideText = {
    FieldSpec{"Text", utf16, 0},
};
constexpr std::array breakpadInfo = {
    FieldSpec{"validity", number, 4},
    FieldSpec{"dump_thread_id", count, 4},
    FieldSpec{"requesting_thread_id", count, 4},
};
constexpr std::array assertionInfo = {
    FieldSpec{"expression", utf16, 256}, FieldSpec{"function", utf16, 256},
    FieldSpec{"file", utf16, 256},       FieldSpec{"line", count, 4},
    FieldSpec{"type", count, 4},
};
constexpr std::array macCrashInfo = {
    FieldSpec{"stream_type", number, 4},      FieldSpec{"record_count", count, 4},
    FieldSpec{"record_start_size", count, 4}, FieldSpec{"record0Size", count, 4},
    FieldSpec{"record0Rva", number, 4},       FieldSpec{"record1Size", count, 4},
    FieldSpec{"record1Rva", number, 4},       FieldSpec{"records", bytes, 144},
};
constexpr std::array macCrashRecord = {
    FieldSpec{"stream_type", number, 8}, FieldSpec{"version", count, 8},
    FieldSpec{"thread", number, 8},      FieldSpec{"dialog_mode", count, 8},
    FieldSpec{"abort_cause", number, 8}, FieldSpec{"strings", bytes, 0},
};
constexpr std::array macBootArguments = {
    FieldSpec{"stream_type", number, 4},
    FieldSpec{"bootargs", number, 8},
};
constexpr std::array crashpadInfo = {
    FieldSpec{"version", count, 4},
    FieldSpec{"report_id", bytes, 16},
    FieldSpec{"client_id", bytes, 16},
    FieldSpec{"SimpleAnnotationsSize", count, 4},
    FieldSpec{"SimpleAnnotationsRva", number, 4},
    FieldSpec{"ModuleListSize", count, 4},
    FieldSpec{"ModuleListRva", number, 4},
    FieldSpec{"Rest", bytes, 0},
};
constexpr std::array crashpadEntry = {
    FieldSpec{"key", number, 4},
    FieldSpec{"value", number, 4},
};
constexpr std::array crashpadLink = {
    FieldSpec{"minidump_module_list_index", count, 4},
    FieldSpec{"InfoSize", count, 4},
    FieldSpec{"InfoRva", number, 4},
};
constexpr std::array crashpadModule = {
    FieldSpec{"version", count, 4},
    FieldSpec{"ListAnnotationsSize", count, 4},
    FieldSpec{"ListAnnotationsRva", number, 4},
    FieldSpec{"SimpleAnnotationsSize", count, 4},
    FieldSpec{"SimpleAnnotationsRva", number, 4},
    FieldSpec{"AnnotationObjectsSize", count, 4},
    FieldSpec{"AnnotationObjectsRva", number, 4},
};
constexpr std::array crashpadAnnotation = {
    FieldSpec{"name", number, 4},
    FieldSpec{"type", count, 2},
    FieldSpec{"reserved", number, 2},
    FieldSpec{"value", number, 4},
};
constexpr std::array rva = {
    FieldSpec{"Rva", number, 4},
};

constexpr std::array specs = {
    StructSpec{"MINIDUMP_MISC_INFO", miscInfo},
    StructSpec{"MINIDUMP_MISC_INFO_2", miscInfo2},
    StructSpec{"MINIDUMP_MISC_INFO_3", miscInfo3},
    StructSpec{"MINIDUMP_MISC_INFO_4", miscInfo4},
    StructSpec{"MINIDUMP_MISC_INFO_5", miscInfo5},
    StructSpec{"MINIDUMP_PROCESS_VM_COUNTERS_1", vmCounters1},
    StructSpec{"MINIDUMP_PROCESS_VM_COUNTERS_2", vmCounters2},
    StructSpec{"MINIDUMP_SYSTEM_MEMORY_INFO_1", systemMemory},
    StructSpec{"MINIDUMP_SYSTEM_MEMORY_INFO_2", systemMemory2},
    StructSpec{"MINIDUMP_TOKEN_INFO_LIST", tokenList},
    StructSpec{"MINIDUMP_TOKEN_INFO_HEADER", tokenHeader},
    StructSpec{"AVRF_HANDLE_OPERATION", handleOperation},
    StructSpec{"MINIDUMP_HANDLE_OBJECT_INFORMATION", objectInfo},
    StructSpec{"MINIDUMP_FUNCTION_TABLE_STREAM", functionTables},
    StructSpec{"MINIDUMP_FUNCTION_TABLE_DESCRIPTOR", functionTable},
    StructSpec{"MinidumpUTF8String", utf8String},
    StructSpec{"MinidumpByteArray", byteArray},
    StructSpec{"WideText", wideText},
    StructSpec{"MDRawBreakpadInfo", breakpadInfo},
    StructSpec{"MDRawAssertionInfo", assertionInfo},
    StructSpec{"MDRawMacCrashInfo", macCrashInfo},
    StructSpec{"MDRawMacCrashInfoRecord", macCrashRecord},
    StructSpec{"MDRawMacBootargs", macBootArguments},
    StructSpec{"MinidumpCrashpadInfo", crashpadInfo},
    StructSpec{"MinidumpSimpleStringDictionaryEntry", crashpadEntry},
    StructSpec{"MinidumpModuleCrashpadInfoLink", crashpadLink},
    StructSpec{"MinidumpModuleCrashpadInfo", crashpadModule},
    StructSpec{"MinidumpAnnotation", crashpadAnnotation},
    StructSpec{"Rva", rva},
};

static_assert(bytesIn(miscInfo) == miscInfo1Size && bytesIn(miscInfo2) == sizeof(RawMiscInfo) &&
              bytesIn(miscInfo3) == miscInfo3Size && bytesIn(miscInfo4) == miscInfo4Size &&
              bytesIn(miscInfo5) == miscInfo5Size);
// minidumpapiset.h packs by 4.
static_assert(bytesIn(vmCounters1) == 80 && bytesIn(vmCounters2) == 152 &&
              bytesIn(systemMemory) == 492 && bytesIn(systemMemory2) == 524);
static_assert(bytesIn(tokenList) == sizeof(TokenListHeader));
static_assert(bytesIn(tokenHeader) == sizeof(TokenHeader));
static_assert(bytesIn(handleOperation) == sizeof(HandleOperation));
static_assert(bytesIn(objectInfo) == sizeof(ObjectInfo));
static_assert(bytesIn(functionTables) == sizeof(FunctionTableHeader));
static_assert(bytesIn(functionTable) == sizeof(FunctionTableDescriptor));
static_assert(bytesIn(breakpadInfo) == sizeof(BreakpadInfo));
static_assert(bytesIn(assertionInfo) == sizeof(AssertionInfo));
static_assert(bytesIn(macCrashInfo) == sizeof(MacCrashInfo));
static_assert(bytesIn(macCrashRecord) == sizeof(MacCrashRecord));
static_assert(bytesIn(macBootArguments) == sizeof(MacBootArguments));
static_assert(bytesIn(crashpadInfo) == crashpadInfoOldSize);
static_assert(bytesIn(crashpadEntry) == sizeof(CrashpadEntry));
static_assert(bytesIn(crashpadLink) == sizeof(CrashpadModuleLink));
static_assert(bytesIn(crashpadModule) == sizeof(CrashpadModule));
static_assert(bytesIn(crashpadAnnotation) == sizeof(CrashpadAnnotation));

}  // namespace

std::span<const StructSpec> systemTextSpecs() {
    return specs;
}

}  // namespace icecore::minidump
