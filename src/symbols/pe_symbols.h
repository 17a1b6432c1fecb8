// Names of a PE module, by address relative to its base.
#pragma once

#include <memory>
#include <mutex>

#include "symbols/export_table.h"
#include "symbols/module_reader.h"
#include "symbols/pe_files.h"

namespace icecore {

/// What the PDB or a Breakpad symbol file says, else the exported names. An address behind an
/// export is named by it only as the nearest known (SymbolFrame::approximate), unless the image's
/// table of functions says that it is in the very function that is exported.
class PeSymbols final : public ModuleReader {
public:
    explicit PeSymbols(PeFiles files);

    [[nodiscard]] const ModuleSymbols& info() const override { return files_.info; }
    [[nodiscard]] std::uint64_t bias() const override { return files_.base; }
    [[nodiscard]] Located locate(std::uint64_t address, bool isReturnAddress) const override;
    [[nodiscard]] std::optional<Named> nearest(std::uint64_t address) const override;
    void find(std::string_view pattern, std::size_t limit, std::vector<Named>& out) const override;
    [[nodiscard]] std::optional<Named> byName(std::string_view name) const override;
    [[nodiscard]] const TypeSource* types() const override { return types_.get(); }
    [[nodiscard]] std::optional<FrameLayout> frameLayout(std::uint64_t address) const override;
    [[nodiscard]] std::optional<RegisterPrograms> registerPrograms(
        std::uint64_t address) const override;

private:
    /// Null when there is no image.
    [[nodiscard]] const ExportTable* exports() const;

    PeFiles files_;
    std::unique_ptr<TypeSource> types_;
    mutable std::once_flag exportsOnce_;
    mutable std::unique_ptr<ExportTable> exports_;
};

}  // namespace icecore
