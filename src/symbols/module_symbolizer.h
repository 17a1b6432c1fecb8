// Names and lines of an ELF module, by link-time address.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "symbols/module_files.h"
#include "symbols/module_reader.h"
#include "symbols/symbol_table.h"
#include "symbols/symbolizer.h"

namespace icecore {

class DwarfInfo;
namespace dwarf {
class DwarfTypes;
}

/// Thread-safe; symbol tables and DWARF are opened at the first question that needs them.
class ModuleSymbolizer final : public ModuleReader {
public:
    explicit ModuleSymbolizer(ModuleFiles files);
    ~ModuleSymbolizer() override;

    [[nodiscard]] const ModuleFiles& files() const { return files_; }
    [[nodiscard]] const ModuleSymbols& info() const override { return files_.info; }
    [[nodiscard]] std::uint64_t bias() const override { return files_.bias; }

    [[nodiscard]] Located locate(std::uint64_t address, bool isReturnAddress) const override;
    [[nodiscard]] std::optional<Named> nearest(std::uint64_t address) const override;
    void find(std::string_view pattern, std::size_t limit, std::vector<Named>& out) const override;
    [[nodiscard]] std::optional<Named> byName(std::string_view name) const override;
    [[nodiscard]] const TypeSource* types() const override;

private:
    [[nodiscard]] const SymbolTable& table() const;
    [[nodiscard]] const DwarfInfo* dwarf() const;
    [[nodiscard]] Named named(const SymbolTable::Entry& entry) const;
    [[nodiscard]] SymbolKind tableKind() const;

    ModuleFiles files_;
    mutable std::once_flag tableOnce_, dwarfOnce_, typesOnce_;
    mutable std::unique_ptr<SymbolTable> table_;
    mutable std::unique_ptr<DwarfInfo> dwarf_;
    mutable std::unique_ptr<dwarf::DwarfTypes> types_;
};

}  // namespace icecore
