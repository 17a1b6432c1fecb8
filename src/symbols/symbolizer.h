// From addresses to names and lines, and back, for one process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "images/elf_image.h"
#include "images/pe_image.h"
#include "model/process.h"
#include "symbols/symbol_locator.h"

namespace icecore {

namespace pdb {
class PdbFile;
}
class PortablePdb;
class ModuleReader;

/// Where a module's names come from.
enum class SymbolKind : std::uint8_t { none, pdb, dwarf, symtab, exported, portable_pdb, mismatch };
/// "pdb", "dwarf", "symtab", "export", "portable-pdb", "none", "mismatch" (the JSON schema's
/// words).
std::string_view toString(SymbolKind kind);

/// One function at an address: an inlined one or the physical one.
struct SymbolFrame {
    std::string function;  ///< demangled, without parameters' noise kept as is
    std::uint64_t functionOffset =
        0;                   ///< bytes from the function's start; of inlines: from its range
    std::string file;        ///< as recorded, absolute where the compiler says so
    std::uint32_t line = 0;  ///< 0 unknown
    bool inlined = false;
    /// Only the nearest name below the address that is known, an exported one: other functions
    /// may lie between (WinDbg's "module!Export+0x1234" far from an export).
    bool approximate = false;
};

struct Symbolization {
    const Module* module = nullptr;   ///< null outside every module
    std::uint64_t moduleOffset = 0;   ///< bytes from the module's base
    std::vector<SymbolFrame> frames;  ///< innermost first; empty when nothing is known
    SymbolKind kind = SymbolKind::none;
};

struct Symbol {
    std::string name;  ///< demangled
    const Module* module = nullptr;
    std::uint64_t address = 0;  ///< runtime address
    std::uint64_t size = 0;     ///< bytes, 0 unknown
    bool function = false;
};

/// What is known of one module's files.
struct ModuleSymbols {
    SymbolKind kind = SymbolKind::none;
    std::shared_ptr<const ElfImage> image;  ///< the file itself or its copy in memory; may be null
    /// The same of a PE module: its file, else what is in the dump's memory. Where the file is
    /// known both can be had; code that the process changed is in the memory alone.
    std::shared_ptr<const PeImage> peImage;
    std::shared_ptr<const pdb::PdbFile> pdb;  ///< types, frame layouts; null when there is none
    std::shared_ptr<const PortablePdb> portablePdb;  ///< lines of .NET methods; may be null
    std::string imagePath, debugPath;                ///< files used; empty when none
    std::vector<std::string> tried;  ///< one sentence per file tried: what `!sym noisy` prints
    bool forced = false;             ///< used in spite of a mismatch, because asked to
};

struct SymbolOptions {
    /// `.sympath`: directories (searched by build-id layout `.build-id/ab/cdef.debug`, by path
    /// below and by file name), separated by ';' or ':', and for Windows' modules all of WinDbg's
    /// syntax (parseSymbolPath). Servers of ELF files come with DEBUGINFOD_URLS.
    std::string path;
    /// Prefix under which the target's absolute paths are looked up ("/proc/PID/root", a sysroot).
    std::string root;
    bool useDefaultPaths = true;  ///< /usr/lib/debug and the module's own path
    std::string debuginfodUrls;   ///< space-separated; empty: never touch the network
    bool allowMismatch = false;   ///< `.reload /i`
    LocatorOptions locator;       ///< of symbol stores and servers
};

/// Thread-safe; everything is lazy: a module's files are looked for at the first question about it.
class Symbolizer {
public:
    /// `process` must outlive it.
    Symbolizer(const Process& process, SymbolOptions options);
    ~Symbolizer();
    Symbolizer(const Symbolizer&) = delete;
    Symbolizer& operator=(const Symbolizer&) = delete;

    /// What stands at `address`. For a return address pass address - 1's meaning by
    /// `isReturnAddress`: names, inlines and line are those of the call.
    [[nodiscard]] Symbolization symbolize(std::uint64_t address, bool isReturnAddress) const;
    /// As symbolize, without inlines, file and line: only the symbol tables are touched.
    [[nodiscard]] std::optional<Symbol> nearestSymbol(std::uint64_t address) const;
    /// `x module!pattern`: wildcards; at most `limit`.
    [[nodiscard]] std::vector<Symbol> find(std::string_view modulePattern,
                                           std::string_view namePattern, std::size_t limit) const;
    /// "module!name" or "name".
    [[nodiscard]] std::optional<Symbol> byName(std::string_view text) const;
    /// Looks for the files if that was not done yet.
    [[nodiscard]] const ModuleSymbols& module(const Module& module) const;
    /// The module's symbols themselves: types, variables, rules of stacks. Addresses are the
    /// module's own. Looks for the files if that was not done yet; null for no module of the
    /// process. Valid until reload().
    [[nodiscard]] const ModuleReader* reader(const Module& module) const;
    /// As module(), when that was done already, else null: looks for nothing.
    [[nodiscard]] const ModuleSymbols* loadedModule(const Module& module) const;
    /// Looks for the files of all modules that `wanted` names, on several threads at once: servers
    /// are waited for side by side. Stops early when the locator's progress is cancelled.
    void prefetch(unsigned threads, const std::function<bool(const Module&)>& wanted) const;
    /// Forgets and looks again (`.reload`), with other options.
    void reload(SymbolOptions options);
    [[nodiscard]] const SymbolOptions& options() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace icecore
