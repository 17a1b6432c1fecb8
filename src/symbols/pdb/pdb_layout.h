// The on-disk structures and constants of a PDB's streams and of CodeView's symbol records.
// Sources: LLVM's "The PDB File Format" and "CodeView Symbol/Type Records" (llvm.org/docs/PDB);
// microsoft/microsoft-pdb: include/cvinfo.h, PDB/dbi/dbi.h, PDB/dbi/gsi.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bytes/endian.h"

namespace icecore::pdb {

enum StreamNumber : std::uint32_t { streamInfo = 1, streamTypes = 2, streamDbi = 3, streamIds = 4 };
inline constexpr std::uint16_t noStream = 0xffff;

struct InfoHeader {
    Le32 version, signature, age;
    std::byte guid[16];
};
static_assert(sizeof(InfoHeader) == 28);
/// Feature codes behind the table of named streams.
inline constexpr std::uint32_t featureFastLink = 0x494e494d;  // "MINI": types and symbols in .obj

struct DbiHeader {
    Le32 signature, version, age;
    Le16 globalStream, buildNumber, publicStream, dllVersion, symbolStream, dllRebuild;
    Le32 moduleInfoSize, contributionSize, sectionMapSize, sourceInfoSize, typeServerMapSize,
        mfcIndex, debugHeaderSize, editContinueSize;
    Le16 flags, machine;
    Le32 reserved;
};
static_assert(sizeof(DbiHeader) == 64 && offsetof(DbiHeader, flags) == 56);
enum DbiFlags : std::uint16_t { dbiIncremental = 1, dbiStripped = 2, dbiConflictTypes = 4 };
inline constexpr std::uint32_t dbiSignature = 0xffffffff;

/// Streams of the optional debug header, by position.
enum DebugStream : std::size_t {
    debugFpo = 0,
    debugOmapTo = 3,
    debugOmapFrom = 4,
    debugSections = 5,
    debugNewFpo = 9,
    debugSectionsOriginal = 10,
    debugStreamCount = 11,
};

struct Contribution {
    Le16 section, padding1;
    Le32 offset, size, characteristics;
    Le16 module, padding2;
    Le32 dataCrc, relocationCrc;
};
static_assert(sizeof(Contribution) == 28 && offsetof(Contribution, module) == 16);
inline constexpr std::uint32_t contributions60 = 0xeffe0000 + 19970605;
inline constexpr std::uint32_t contributions2 = 0xeffe0000 + 20140516;  // four bytes longer

struct ModuleInfo {
    Le32 unused;
    Contribution contribution;
    Le16 flags, symbolStream;
    Le32 symbolSize, c11Size, c13Size;
    Le16 sourceFileCount, padding;
    Le32 unused2, sourceFileNameIndex, pdbPathNameIndex;
    // After it: the module's name, the object file's name; padded to four bytes.
};
static_assert(sizeof(ModuleInfo) == 64 && offsetof(ModuleInfo, symbolStream) == 34);

struct SectionHeader {
    char name[8];
    Le32 virtualSize, address, rawSize, rawOffset, relocations, lineNumbers;
    Le16 relocationCount, lineNumberCount;
    Le32 characteristics;
};
static_assert(sizeof(SectionHeader) == 40);

struct OmapEntry {
    Le32 from, to;  // relative addresses; `to` 0: nothing corresponds
};

// The hash of globals and publics (GSI).
struct PublicsHeader {
    Le32 hashSize, addressMapSize, thunkCount, thunkSize;
    Le16 thunkTableSection, padding;
    Le32 thunkTableOffset, sectionCount;
};
static_assert(sizeof(PublicsHeader) == 28);
struct HashHeader {
    Le32 signature, version, recordSize, bucketSize;
};
struct HashRecord {
    Le32 offset, references;  // offset in the symbol record stream, plus one
};
inline constexpr std::uint32_t hashSignature = 0xffffffff, hashVersion = 0xeffe0000 + 19990810;
inline constexpr std::uint32_t hashBuckets = 4096;

// Symbol records: length (without itself), kind, content; each padded to four bytes.
enum SymbolKindId : std::uint16_t {
    symEnd = 0x0006,
    symFrameProc = 0x1012,
    symObjName = 0x1101,
    symThunk32 = 0x1102,
    symBlock32 = 0x1103,
    symWith32 = 0x1104,
    symLabel32 = 0x1105,
    symRegister = 0x1106,
    symConstant = 0x1107,
    symUdt = 0x1108,
    symBpRel32 = 0x110b,
    symLData32 = 0x110c,
    symGData32 = 0x110d,
    symPublic32 = 0x110e,
    symLProc32 = 0x110f,
    symGProc32 = 0x1110,
    symRegRel32 = 0x1111,
    symLThread32 = 0x1112,
    symGThread32 = 0x1113,
    symProcRef = 0x1125,
    symDataRef = 0x1126,
    symLProcRef = 0x1127,
    symTrampoline = 0x112c,
    symSepCode = 0x1132,
    symCompile3 = 0x113c,
    symLocal = 0x113e,
    symRangeRegister = 0x1141,     // S_DEFRANGE_REGISTER
    symRangeFrame = 0x1142,        // S_DEFRANGE_FRAMEPOINTER_REL
    symRangeSubfield = 0x1143,     // S_DEFRANGE_SUBFIELD_REGISTER
    symRangeFrameAll = 0x1144,     // S_DEFRANGE_FRAMEPOINTER_REL_FULL_SCOPE
    symRangeRegisterRel = 0x1145,  // S_DEFRANGE_REGISTER_REL
    symLProc32Id = 0x1146,
    symGProc32Id = 0x1147,
    symInlineSite = 0x114d,
    symInlineSiteEnd = 0x114e,
    symProcIdEnd = 0x114f,
    symInlineSite2 = 0x115d,
};

struct Procedure {  // S_GPROC32, S_LPROC32
    Le32 parent, end, next, size, debugStart, debugEnd, type, offset;
    Le16 section;
    std::byte flags;
    // Then: the name.
};
static_assert(sizeof(Procedure) == 35);
struct Thunk {  // S_THUNK32
    Le32 parent, end, next, offset;
    Le16 section, size;
    std::byte ordinal;
};
static_assert(sizeof(Thunk) == 21);
struct SeparatedCode {  // S_SEPCODE
    Le32 parent, end, size, flags, offset, parentOffset;
    Le16 section, parentSection;
};
static_assert(sizeof(SeparatedCode) == 28);
struct Public {  // S_PUB32
    Le32 flags, offset;
    Le16 section;
};
static_assert(sizeof(Public) == 10);
enum PublicFlags : std::uint32_t { publicCode = 1, publicFunction = 2 };
struct Data {  // S_GDATA32, S_LDATA32, S_GTHREAD32…
    Le32 type, offset;
    Le16 section;
};
static_assert(sizeof(Data) == 10);
struct Reference {  // S_PROCREF, S_LPROCREF
    Le32 checksum, symbolOffset;
    Le16 module;  // counted from one
};
static_assert(sizeof(Reference) == 10);
struct InlineSite {  // S_INLINESITE, followed by annotations; S_INLINESITE2 has a counter before
    Le32 parent, end, inlinee;
};

struct Block {  // S_BLOCK32
    Le32 parent, end, size, offset;
    Le16 section;
};
static_assert(sizeof(Block) == 18);
struct FrameProcedure {  // S_FRAMEPROC
    Le32 frameSize, padSize, padOffset, savedSize, handlerOffset;
    Le16 handlerSection;
    Le32 flags;
};
static_assert(sizeof(FrameProcedure) == 26);

// Variables. Those of optimised code are an S_LOCAL with ranges of code behind it, each with the
// place the value then has.
struct Local {  // S_LOCAL
    Le32 type;
    Le16 flags;
    // Then: the name.
};
static_assert(sizeof(Local) == 6);
enum LocalFlags : std::uint16_t { localIsParameter = 1 };
struct RegisterRelative {  // S_REGREL32
    Le32 offset, type;
    Le16 reg;
};
static_assert(sizeof(RegisterRelative) == 10);
struct BaseRelative {  // S_BPREL32
    Le32 offset, type;
};
struct InRegister {  // S_REGISTER
    Le32 type;
    Le16 reg;
};
static_assert(sizeof(InRegister) == 6);
/// The code a place counts for. Gaps follow: pairs of offset (from the range's start) and size.
struct CodeSpan {  // CV_LVAR_ADDR_RANGE
    Le32 offset;
    Le16 section, size;
};
static_assert(sizeof(CodeSpan) == 8);

// C13 line information: subsections of kind and size, each padded to four bytes.
enum Subsection : std::uint32_t {
    subsectionLines = 0xf2,
    subsectionChecksums = 0xf4,
    subsectionInlinees = 0xf6,
};
struct LinesHeader {
    Le32 offset;
    Le16 section, flags;
    Le32 size;
};
static_assert(sizeof(LinesHeader) == 12);
inline constexpr std::uint16_t linesHaveColumns = 1;
struct LinesBlock {
    Le32 file, count, size;  // size with this header
};
struct LineEntry {
    Le32 offset, flags;
    [[nodiscard]] std::uint32_t line() const { return flags & 0xffffff; }
    [[nodiscard]] bool hidden() const { return line() == 0xfeefee || line() == 0xf00f00; }
};
struct Checksum {
    Le32 name;
    std::uint8_t size, kind;
};
static_assert(sizeof(Checksum) == 6);
struct Inlinee {
    Le32 id, file, line;  // with the extra-files flag: a count and that many file ids follow
};

// Old FPO (FPO_DATA of winnt.h) and FrameData.
struct FpoData {
    Le32 address, size, locals;
    Le16 parameters, bits;  // prologue:8 registers:3 seh:1 bp:1 reserved:1 frame:2
};
static_assert(sizeof(FpoData) == 16);
struct FrameData {
    Le32 address, size, locals, parameters, maximalStack, program;
    Le16 prologueSize, savedRegisterSize;
    Le32 flags;  // 1 SEH, 2 C++ exceptions, 4 function start
};
static_assert(sizeof(FrameData) == 32);

struct TypeHeader {  // streams TPI and IPI
    Le32 version, headerSize, first, last, recordBytes;
    Le16 hashStream, hashAuxStream;
    Le32 hashKeySize, bucketCount;
    Le32 hashValueOffset, hashValueSize, indexOffset, indexSize, adjustOffset, adjustSize;
};
static_assert(sizeof(TypeHeader) == 56);

}  // namespace icecore::pdb
