// Names and lines of one module, by link-time address.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbols/module_files.h"
#include "symbols/symbol_table.h"
#include "symbols/symbolizer.h"

namespace icecore {

class DwarfInfo;

/// Thread-safe; symbol tables and DWARF are opened at the first question that needs them.
class ModuleSymbolizer {
public:
    explicit ModuleSymbolizer(ModuleFiles files);
    ~ModuleSymbolizer();
    ModuleSymbolizer(const ModuleSymbolizer&) = delete;
    ModuleSymbolizer& operator=(const ModuleSymbolizer&) = delete;

    [[nodiscard]] const ModuleFiles& files() const { return files_; }

    struct Located {
        std::vector<SymbolFrame> frames;  ///< innermost first
        SymbolKind kind = SymbolKind::none;
    };
    [[nodiscard]] Located locate(std::uint64_t address, bool isReturnAddress) const;

    struct Named {
        std::string name;
        std::uint64_t address = 0;  ///< link-time
        std::uint64_t size = 0;
        bool function = false;
    };
    /// The symbol that covers `address`, out of the symbol tables alone.
    [[nodiscard]] std::optional<Named> nearest(std::uint64_t address) const;
    /// Appends symbols whose readable name matches, until `limit` are in `out`.
    void find(std::string_view pattern, std::size_t limit, std::vector<Named>& out) const;
    /// The symbol with exactly this readable or raw name.
    [[nodiscard]] std::optional<Named> byName(std::string_view name) const;

private:
    [[nodiscard]] const SymbolTable& table() const;
    [[nodiscard]] const DwarfInfo* dwarf() const;
    [[nodiscard]] Named named(const SymbolTable::Entry& entry) const;
    [[nodiscard]] SymbolKind tableKind() const;

    ModuleFiles files_;
    mutable std::once_flag tableOnce_, dwarfOnce_;
    mutable std::unique_ptr<SymbolTable> table_;
    mutable std::unique_ptr<DwarfInfo> dwarf_;
};

}  // namespace icecore
