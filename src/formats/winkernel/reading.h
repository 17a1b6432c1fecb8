// What the functions that read one part of a kernel dump each share.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bytes/cursor.h"
#include "bytes/source.h"
#include "formats/winkernel/layout.h"
#include "memory/page_tables.h"
#include "memory/segment_space.h"
#include "model/snapshot.h"

namespace icecore::winkernel {

/// What the headers of both widths say; addresses of 32 bits are not sign-extended.
struct DumpHeader {
    bool is64 = true;
    bool pae = false;
    std::uint32_t majorVersion = 0, build = 0, machine = 0, processors = 0, type = 0;
    std::uint64_t directoryTable = 0, loadedModules = 0, debuggerData = 0;
    std::uint32_t bugCheck = 0;
    std::array<std::uint64_t, 4> parameters{};
    std::uint64_t systemTime = 0;  ///< FILETIME
    std::uint64_t upTime = 0;      ///< 100 ns
    struct Run {
        std::uint64_t firstPage, pages;
    };
    std::uint32_t runCount = 0;  ///< as promised
    std::vector<Run> runs;       ///< as many as there is room for
    std::string comment;
    std::vector<std::byte> context;
    // Where things lie in the file.
    std::uint64_t size = 0, runsAt = 0, contextAt = 0, bugCheckAt = 0, machineAt = 0, typeAt = 0;
};
/// `malformed` when it is no kernel dump.
Result<DumpHeader> readHeader(const Source& source);

/// TRIAGE_DUMP of either width.
struct Triage {
    std::uint64_t topOfStack = 0, dataPageAddress = 0;
    std::uint32_t validOffset = 0, exceptionOffset = 0, unloadedOffset = 0, prcbOffset = 0,
                  processOffset = 0, threadOffset = 0, callStackOffset = 0, callStackSize = 0,
                  driverListOffset = 0, driverCount = 0, dataPageOffset = 0, dataPageSize = 0,
                  debuggerDataOffset = 0, debuggerDataSize = 0, dataBlocksOffset = 0,
                  dataBlocksCount = 0;
};

/// A driver's entry of either width.
struct Driver {
    std::uint64_t next = 0, base = 0, name = 0, baseName = 0;
    std::uint32_t size = 0, checksum = 0, timestamp = 0;
    std::uint16_t nameBytes = 0, baseNameBytes = 0;
};
Driver driverOf(const LoadedModule64& raw);
Driver driverOf(const LoadedModule32& raw);

/// One dump being read.
class KernelReading {
public:
    KernelReading(std::shared_ptr<const Source> file, DumpHeader read, Snapshot& into)
        : source(std::move(file)),
          header(std::move(read)),
          snapshot(into),
          process(*into.process),
          machine(*into.machine) {}

    std::shared_ptr<const Source> source;
    DumpHeader header;
    std::optional<Triage> triage;
    Snapshot& snapshot;
    Process& process;  ///< the kernel; its memory is virtual
    Machine& machine;
    std::optional<PageTables> tables;  ///< where virtual memory is translated
    /// KDDEBUGGER_DATA64; empty when it is not in the dump or encrypted.
    std::vector<std::byte> debuggerData;

    void loss(std::string text, std::uint64_t at) {
        snapshot.issues.loss(std::move(text), source->where(at));
    }
    /// A structure at an offset of the file, or nothing.
    template <class T>
    [[nodiscard]] std::optional<T> at(std::uint64_t offset) const {
        const auto bytes = source->load(offset, sizeof(T));
        if (!bytes) return std::nullopt;
        return Cursor(ByteView(bytes->span())).structure<T>();
    }
    /// A structure in the kernel's memory, or nothing.
    template <class T>
    [[nodiscard]] std::optional<T> inMemory(std::uint64_t address) const {
        std::array<std::byte, sizeof(T)> bytes;
        if (process.memory->read(address, bytes).bytes != bytes.size()) return std::nullopt;
        return Cursor(ByteView(bytes)).structure<T>();
    }
    [[nodiscard]] std::uint8_t pointerSize() const { return header.is64 ? 8 : 4; }
    [[nodiscard]] std::optional<std::uint64_t> pointerAt(std::uint64_t address) const {
        return process.memory->readPointer(address, pointerSize());
    }
    /// A field of the debugger's data; 0 when there is none.
    [[nodiscard]] std::uint64_t debuggerPointer(std::uint32_t field) const;
    [[nodiscard]] std::uint16_t debuggerOffset(std::uint32_t field) const;
    /// UTF-16 in the kernel's memory; empty when it cannot be read.
    [[nodiscard]] std::string text(std::uint64_t address, std::size_t bytes) const;
};

/// Fills machine.physical and process.memory, of triage dumps the latter alone.
Result<void> readMemory(KernelReading& reading);
/// The way in which the header's root translates: the processor's width and the header tell, but
/// for the number of levels of x64, which the list of drivers tells.
std::optional<PageTables> findTables(const KernelReading& reading);

// Types 1; 2, 5 and 6; 8 to 10: which pages there are, and where.
Result<void> readRuns(KernelReading& reading, SegmentSpaceBuilder& builder);
Result<void> readBitmap(KernelReading& reading, SegmentSpaceBuilder& builder);
Result<void> readRanges(KernelReading& reading, SegmentSpaceBuilder& builder);

/// Type 4: some virtual memory, the stack of the thread that stopped, and lists.
Result<void> readTriage(KernelReading& reading);
void readTriageDrivers(KernelReading& reading);

void readDebuggerData(KernelReading& reading);
/// PsLoadedModuleList and MmUnloadedDrivers, through the kernel's memory.
void readLoadedModules(KernelReading& reading);

/// The bug check as the exception, a thread for each processor whose registers are there, and who
/// was running.
void readCrash(KernelReading& reading);
/// Where the bug check came from: the registers at the exception, from a CONTEXT or trap frame that
/// the bug check's parameters point at. Nothing where they do not tell.
std::optional<Context> findCrashContext(const KernelReading& reading, const Registers& atBugCheck);

/// The format's functions of describe.cpp.
Result<std::string> describe(std::shared_ptr<const Source> source);
Result<std::vector<std::byte>> build(std::string_view text);

}  // namespace icecore::winkernel
