// The verdict on a process dump, as a value: views only print it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arch/disassembler.h"
#include "base/progress.h"
#include "model/snapshot.h"
#include "symbols/symbolizer.h"
#include "unwind/unwinder.h"

namespace icecore {

enum class Confidence : std::uint8_t { low, medium, high, certain };
std::string_view toString(Confidence confidence);

/// What analysis concludes, and from what.
struct Finding {
    std::string claim;
    std::vector<std::string> evidence;
    Confidence confidence = Confidence::medium;
};

/// A frame as people read it: physical frames with their inlined ones in front.
struct NamedFrame {
    std::uint64_t pc = 0, sp = 0;
    const Module* module = nullptr;
    std::uint64_t moduleOffset = 0;
    std::string function;
    std::uint64_t functionOffset = 0;
    std::string file;
    std::uint32_t line = 0;
    Trust trust = Trust::context;
    bool signalFrame = false;
    std::size_t physical = 0;  ///< index into the Stack's frames
};

struct NamedStack {
    std::uint64_t threadId = 0;
    std::vector<NamedFrame> frames;
    Stack stack;
};

/// Unwinds and names the stacks of all threads, on `threads` workers (0: as many as CPUs).
std::vector<NamedStack> nameStacks(const Process& process, const Unwinder& unwinder,
                                   const Symbolizer& symbolizer, const UnwindOptions& options = {},
                                   unsigned threads = 0);
NamedStack nameStack(std::uint64_t threadId, Stack stack, const Symbolizer& symbolizer);

enum class AccessKind : std::uint8_t { unknown, read, write, execute };
std::string_view toString(AccessKind kind);

/// What went wrong at the faulting instruction.
struct Fault {
    AccessKind access = AccessKind::unknown;
    std::optional<std::uint64_t> address;  ///< accessed
    std::optional<Instruction> instruction;
    std::string operand;     ///< "qword ptr [rax + 0x10]"
    std::string registers;   ///< the registers it used: "rax=0x0"
    bool strayJump = false;  ///< the program counter leads to what is no code
    /// The one mapped address that the pointer misses by a single bit.
    std::optional<std::uint64_t> oneBitFrom;
    /// Where the instruction is another in the module's file: "0x401000: 90 in memory, cc in FILE".
    std::string patchedCode;
};

struct Verdict {
    std::string summary;  ///< one sentence for a person
    std::string bucket;  ///< stable across runs and ASLR: "SIGSEGV_NULL_POINTER_WRITE_crasher!boom"
    std::string kind;    ///< the bucket's kind of failure alone: "NULL_POINTER_WRITE"
    std::string hash;    ///< of the bucket, as a GUID in braces: bucketHash
    std::string symbolName, moduleName, imageName;
    std::optional<std::uint64_t> followupIp;
    std::optional<std::size_t> blamedFrame;  ///< index into the crashing thread's named frames
    std::optional<std::uint64_t> thread;     ///< crashed, or most telling
    bool healthy = false;                    ///< nothing points at a fault
};

/// Threads that stand at the same place: their frames have the same program counters.
struct ThreadGroup {
    std::vector<std::size_t> members;  ///< indices into Analysis::stacks, ascending
    std::string activity;              ///< "waiting for a mutex"; empty when not known
};

/// Why a Windows kernel stopped.
struct BugCheck {
    std::uint32_t code = 0;
    std::string name;                     ///< "IRQL_NOT_LESS_OR_EQUAL"; "0x1234" when unknown
    std::string text;                     ///< what it means
    std::vector<std::string> parameters;  ///< what each means, with its value; up to four
    // Where a parameter tells it.
    std::optional<std::uint64_t> irql, trapFrame;
    /// The image whose code called for it, when that was none of the kernel's own: "faulty.sys".
    std::string driver;
};

struct Analysis {
    std::optional<BugCheck> bugCheck;  ///< of a kernel dump; then the exception is this
    std::string exceptionName;         ///< "SIGSEGV"
    std::string exceptionText;         ///< "segmentation fault: address not mapped"
    std::string exceptionCodeName;     ///< of si_code: "SEGV_MAPERR"; empty when there is none
    std::optional<Fault> fault;
    Verdict verdict;
    std::vector<NamedStack> stacks;  ///< in the order of process.threads
    /// What each thread does, in the order of process.threads: "waiting for a mutex"; empty when
    /// it cannot be told.
    std::vector<std::string> activities;
    std::vector<ThreadGroup> groups;  ///< biggest first; the crashed thread's own group leads
    std::vector<SymbolKind> symbols;  ///< in the order of process.modules
    std::vector<Finding> findings;    ///< most certain first
    Issues issues;
};

/// Analyses the snapshot's process. `snapshot.process` must be there.
Analysis analyze(const Snapshot& snapshot, const Unwinder& unwinder, const Symbolizer& symbolizer,
                 Progress& progress);

}  // namespace icecore
