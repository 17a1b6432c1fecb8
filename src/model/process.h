// A frozen process as a value: plain structs; only memory is lazy.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arch/context.h"
#include "base/range.h"
#include "bytes/byte_view.h"
#include "memory/address_space.h"

namespace icecore {

/// How much of a list a snapshot holds.
enum class Coverage : std::uint8_t {
    absent,    ///< the source does not speak of it
    complete,  ///< all of it
    partial,   ///< some is known to be missing
    failed,    ///< it was asked for and could not be had; see the issues
};

/// A list that says how complete it is.
template <class T>
struct Listing {
    std::vector<T> items;
    Coverage coverage = Coverage::absent;

    [[nodiscard]] auto begin() const { return items.begin(); }
    [[nodiscard]] auto end() const { return items.end(); }
    [[nodiscard]] auto begin() { return items.begin(); }
    [[nodiscard]] auto end() { return items.end(); }
    [[nodiscard]] std::size_t size() const { return items.size(); }
    [[nodiscard]] bool empty() const { return items.empty(); }
    [[nodiscard]] const T& operator[](std::size_t i) const { return items[i]; }
    [[nodiscard]] T& operator[](std::size_t i) { return items[i]; }
    bool operator==(const Listing&) const = default;
};

using TimePoint = std::chrono::sys_time<std::chrono::nanoseconds>;

enum class Os : std::uint8_t { unknown, linux_os, windows, macos, android, other };
/// "Linux", "Windows", "macOS", "Android", "unknown".
std::string_view toString(Os os);

struct SystemInfo {
    Os os = Os::unknown;
    std::string version;  ///< as the OS says it: "6.1.0-18-amd64 #1 SMP …", "10.0.19045"
    std::uint32_t major = 0, minor = 0, build = 0;
    std::string distribution;  ///< "Debian GNU/Linux 12 (bookworm)", service pack
    std::string hostName;
    Arch arch = Arch::unknown;
    std::uint32_t cpuCount = 0;  ///< 0 unknown
    std::string cpuModel;        ///< "AMD EPYC", vendor string
    bool operator==(const SystemInfo&) const = default;
};

struct Thread {
    std::uint64_t id = 0;  ///< of the OS, in the observer's namespace
    std::string name;
    std::optional<Context> context;
    /// The memory in use as stack, from the stack pointer to its base; as far as known.
    std::optional<Range> stack;
    std::optional<std::uint64_t> tls;  ///< thread pointer (fs_base, tpidr), or the TEB
    std::optional<std::uint64_t> startAddress;
    char state = 0;                        ///< Linux: R S D T t Z…; 0 unknown
    std::optional<std::int32_t> priority;  ///< nice value, or Windows' base priority
    std::uint32_t suspendCount = 0;
    std::optional<std::chrono::nanoseconds> userTime, kernelTime;
    std::optional<TimePoint> created;
    std::optional<std::uint64_t> affinity;  ///< the first 64 CPUs
    // Linux: what NT_PRSTATUS carries besides registers.
    std::uint64_t pendingSignals = 0, blockedSignals = 0;
    std::int32_t currentSignal = 0;
    bool operator==(const Thread&) const = default;
};

/// What identifies a module's file and its symbols.
struct ModuleId {
    enum class Kind : std::uint8_t { none, build_id, pdb };
    Kind kind = Kind::none;
    std::vector<std::byte> bytes;  ///< build-id bytes, or the 16 bytes of the GUID as stored
    std::uint32_t age = 0;         ///< of a PDB
    /// Build-id in lower-case hex; or GUID + age in upper-case hex as symbol servers spell it.
    [[nodiscard]] std::string text() const;
    bool operator==(const ModuleId&) const = default;
};

struct Module {
    Range range;       ///< from the first to the last mapped byte
    std::string path;  ///< as the process sees it; may come from another system
    ModuleId id;
    std::string debugFile;  ///< PDB or debuglink name, as recorded
    std::string version;    ///< file version, or the version in a soname
    std::uint32_t timestamp = 0, checksum = 0, imageSize = 0;  ///< PE header fields
    /// Load bias: runtime address minus the address in the file's own headers; ELF only.
    std::optional<std::uint64_t> bias;
    /// The part of the path behind the last '/' or '\'.
    [[nodiscard]] std::string_view fileName() const;
    /// How people and debuggers call it, as in "libc!malloc": the file name up to ".so" where that
    /// ends a part of it, without an extension of letters (".exe", ".node"), without the brackets
    /// of "[vdso]".
    [[nodiscard]] std::string_view shortName() const;
    bool operator==(const Module&) const = default;
};

struct UnloadedModule {
    Range range;
    std::string path;
    std::uint32_t timestamp = 0, checksum = 0;
    bool operator==(const UnloadedModule&) const = default;
};

struct Protection {
    bool read = false, write = false, execute = false;
    bool guard = false;
    bool operator==(const Protection&) const = default;
};

enum class RegionKind : std::uint8_t {
    unknown,
    anonymous,  ///< private memory without a file
    file,       ///< mapped from a file
    image,      ///< mapped from the file of a module
    shared,     ///< shared memory without a visible file (shmem, memfd, SysV)
    stack,      ///< the main thread's stack
    heap,       ///< brk heap
    vdso,       ///< code the kernel maps: readable
    special,    ///< vvar, vsyscall, device memory: not readable or not meaningful
    reserved,   ///< Windows: reserved, not committed
    free,       ///< Windows: explicitly free
};
std::string_view toString(RegionKind kind);

struct Region {
    Range range;
    Protection protection;
    RegionKind kind = RegionKind::unknown;
    bool shared = false;    ///< MAP_SHARED / MEM_MAPPED
    bool dontDump = false;  ///< MADV_DONTDUMP
    bool dontFork = false, wipeOnFork = false;
    bool io = false;  ///< VM_IO / VM_PFNMAP
    bool hugeTlb = false;
    std::string name;              ///< file path as the process sees it, "[heap]", "[anon:…]"
    std::uint64_t fileOffset = 0;  ///< bytes
    std::uint64_t device = 0, inode = 0;
    std::optional<std::uint64_t> allocationBase;
    std::optional<Protection> allocationProtection;
    bool operator==(const Region&) const = default;
};

/// The event that made someone take the dump: a signal or a Windows exception.
struct Exception {
    std::uint64_t threadId = 0;
    std::uint32_t code = 0;       ///< signal number, or NTSTATUS-like exception code
    std::int32_t signalCode = 0;  ///< si_code
    std::int32_t signalErrno = 0;
    std::uint32_t flags = 0;                    ///< EXCEPTION_NONCONTINUABLE…
    std::uint64_t address = 0;                  ///< where it happened (program counter)
    std::optional<std::uint64_t> faultAddress;  ///< what was accessed (si_addr, parameter 1)
    std::optional<std::uint64_t> sender;        ///< pid that sent the signal
    std::vector<std::uint64_t> parameters;
    std::optional<Context> context;  ///< at the exception, when it differs from the thread's
    SharedBytes rawSignalInfo;       ///< siginfo_t (128 bytes), Linux
    std::optional<bool> firstChance;
    bool operator==(const Exception&) const = default;
};

struct Handle {
    std::uint64_t value = 0;                   ///< descriptor number or HANDLE
    std::string type;                          ///< "File", "Pipe", "Socket", "Event"…
    std::string name;                          ///< path or object name
    std::uint32_t access = 0, attributes = 0;  ///< open flags on Linux
    std::uint32_t handleCount = 0, pointerCount = 0;
    std::optional<std::uint64_t> position;  ///< file position in bytes, Linux
    bool operator==(const Handle&) const = default;
};

/// Unwind information that a program registered for code it made itself (JIT compilers, with
/// RtlAddFunctionTable and its like).
struct DynamicFunctionTable {
    Range range;             ///< of the code
    std::uint64_t base = 0;  ///< what the entries are relative to
    std::uint32_t entrySize = 0;
    SharedBytes entries;  ///< RUNTIME_FUNCTION of the process' architecture, as stored
    bool operator==(const DynamicFunctionTable&) const = default;
};

struct Process {
    SystemInfo system;
    std::uint64_t pid = 0, parentPid = 0;
    std::string name;        ///< short name (comm, image name)
    std::string executable;  ///< path
    std::vector<std::string> commandLine;
    std::vector<std::string> environment;
    std::string workingDirectory;
    std::optional<std::uint32_t> uid, gid;
    std::int32_t processGroup = 0, session = 0;
    std::optional<TimePoint> started;
    std::optional<std::chrono::nanoseconds> userTime, kernelTime;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> auxv;  ///< Linux: type, value
    std::optional<std::uint64_t> peb;

    Listing<Thread> threads;
    Listing<Module> modules;
    Listing<UnloadedModule> unloadedModules;
    Listing<Region> regions;  ///< ascending, disjoint
    Listing<Handle> handles;
    Listing<DynamicFunctionTable> functionTables;
    std::optional<Exception> exception;
    std::shared_ptr<const AddressSpace> memory = emptySpace();

    /// The thread with this id, or null.
    [[nodiscard]] const Thread* thread(std::uint64_t id) const;
    /// The module mapped at `address`, or null. Modules must be sorted by address.
    [[nodiscard]] const Module* moduleAt(std::uint64_t address) const;
    /// The region that contains `address`, or null.
    [[nodiscard]] const Region* regionAt(std::uint64_t address) const;
    /// Value of an auxv entry (AT_…), or nothing.
    [[nodiscard]] std::optional<std::uint64_t> auxvValue(std::uint64_t type) const;
};

}  // namespace icecore
