// The unwind rules of a whole process: every module's CFI behind one cache.
#pragma once

#include <memory>
#include <mutex>

#include "model/process.h"
#include "symbols/symbolizer.h"
#include "unwind/module_cfi.h"
#include "unwind/row_cache.h"

namespace icecore {

/// Thread-safe. A module's CFI is opened at the first address asked for in it.
class CfiRules {
public:
    /// Both must outlive it.
    CfiRules(const Process& process, const Symbolizer& symbolizer);
    CfiRules(const CfiRules&) = delete;
    CfiRules& operator=(const CfiRules&) = delete;

    /// The rules at a runtime address, or null where no CFI covers it. The result lives in the
    /// cache or, when that is full, in `scratch`.
    [[nodiscard]] const UnwindRow* at(std::uint64_t address, UnwindRow& scratch) const;

private:
    struct Slot {
        std::once_flag once;
        std::unique_ptr<const ModuleCfi> cfi;
    };
    [[nodiscard]] const ModuleCfi* moduleCfi(const Module& module) const;
    [[nodiscard]] std::unique_ptr<const ModuleCfi> open(const Module& module) const;

    const Process& process_;
    const Symbolizer& symbolizer_;
    std::unique_ptr<Slot[]> slots_;  ///< one per module
    mutable RowCache cache_;
};

}  // namespace icecore
