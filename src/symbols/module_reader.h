// What the symbols of one module answer, whatever kind of file they come from.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbols/stack_rules.h"
#include "symbols/symbolizer.h"
#include "symbols/type_source.h"

namespace icecore {

/// Names and lines of one module by its own addresses: link-time ones of ELF, relative to the
/// image's base of PE. Thread-safe and lazy: files are opened at the first question that needs
/// them.
class ModuleReader {
public:
    virtual ~ModuleReader() = default;
    ModuleReader() = default;
    ModuleReader(const ModuleReader&) = delete;
    ModuleReader& operator=(const ModuleReader&) = delete;

    /// The files used, and those that were refused.
    [[nodiscard]] virtual const ModuleSymbols& info() const = 0;
    /// Runtime address minus the module's own.
    [[nodiscard]] virtual std::uint64_t bias() const = 0;

    struct Located {
        std::vector<SymbolFrame> frames;  ///< innermost first
        SymbolKind kind = SymbolKind::none;
    };
    /// Function, inlined calls, file and line at `address`. Of a return address: those of its call.
    [[nodiscard]] virtual Located locate(std::uint64_t address, bool isReturnAddress) const = 0;

    struct Named {
        std::string name;
        std::uint64_t address = 0;  ///< the module's own
        std::uint64_t size = 0;     ///< bytes, 0 unknown
        bool function = false;
    };
    /// The symbol that covers `address`, out of the symbol tables alone.
    [[nodiscard]] virtual std::optional<Named> nearest(std::uint64_t address) const = 0;
    /// Appends symbols whose readable name matches, until `limit` are in `out`.
    virtual void find(std::string_view pattern, std::size_t limit,
                      std::vector<Named>& out) const = 0;
    /// The symbol with exactly this readable or raw name.
    [[nodiscard]] virtual std::optional<Named> byName(std::string_view name) const = 0;
    /// Types and variables; null when the files tell none. Addresses are the module's own.
    [[nodiscard]] virtual const TypeSource* types() const { return nullptr; }
    /// How the stack of the x86 function at an address is laid out, where a file tells.
    [[nodiscard]] virtual std::optional<FrameLayout> frameLayout(std::uint64_t /*address*/) const {
        return std::nullopt;
    }
    /// Expressions for the caller's registers, of Breakpad's symbol files.
    [[nodiscard]] virtual std::optional<RegisterPrograms> registerPrograms(
        std::uint64_t /*address*/) const {
        return std::nullopt;
    }
};

/// Looks for a module's files and opens the reader of their kind: PE images with their exports and
/// PDB, or ELF images with DWARF. `process` must outlive it.
std::unique_ptr<ModuleReader> openModuleReader(const Process& process, const Module& module,
                                               const SymbolOptions& options);

/// Whether the module is an image of Windows (PE).
bool isPeModule(const Process& process, const Module& module);

}  // namespace icecore
