// The call frame information of one module, from its file, its debug file or the dump's memory.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "images/elf_image.h"
#include "model/process.h"
#include "unwind/cfi_index.h"
#include "unwind/unwind_row.h"

namespace icecore {

/// Lazy and thread-safe: the linker's table is searched in place, single FDEs are parsed when they
/// are asked for; sections without a table are indexed once, at the first question.
class ModuleCfi {
public:
    /// `image` (may be null) is the module's file or its copy in memory. `debugPath` (may be
    /// empty) names the separate debug file, opened only when .eh_frame does not know an address.
    /// `bias` is runtime minus link-time address.
    ModuleCfi(std::shared_ptr<const ElfImage> image, std::string debugPath, std::uint64_t bias);
    ModuleCfi(const ModuleCfi&) = delete;
    ModuleCfi& operator=(const ModuleCfi&) = delete;

    /// The rules at a runtime address, or nothing. `functionBegin` of the row is a runtime
    /// address; the row points into this object.
    [[nodiscard]] std::optional<UnwindRow> row(std::uint64_t address) const;

    [[nodiscard]] const CfiSection& ehFrame() const { return ehFrame_; }
    /// Loads it when that was not done yet.
    [[nodiscard]] const CfiSection& debugFrame() const;

private:
    void findEhFrame();
    void loadDebugFrame() const;
    [[nodiscard]] std::optional<std::uint64_t> findInEhFrame(std::uint64_t address) const;
    [[nodiscard]] std::optional<UnwindRow> rowFrom(const CfiSection& section, std::uint64_t offset,
                                                   std::uint64_t address) const;

    std::shared_ptr<const ElfImage> image_;
    std::string debugPath_;
    std::uint64_t bias_;

    CfiSection ehFrame_;
    bool ehFrameEndsAtTerminator_ = false;
    std::optional<EhFrameHeader> header_;
    mutable std::once_flag indexOnce_;
    mutable FdeIndex index_;

    mutable std::once_flag debugOnce_;
    mutable std::shared_ptr<const ElfImage> debugImage_;
    mutable CfiSection debugFrame_;
    mutable FdeIndex debugIndex_;
};

}  // namespace icecore
