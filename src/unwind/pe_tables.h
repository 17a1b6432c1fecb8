// Where Windows' unwind information of a code address is: the function tables (.pdata) of PE
// images, and those that programs registered for code they made.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "model/process.h"
#include "symbols/symbolizer.h"

namespace icecore {

/// RUNTIME_FUNCTION of x64. Addresses are relative to `base`.
struct PeFunction {
    std::uint64_t base = 0;
    std::uint32_t begin = 0, end = 0;
    std::uint32_t unwind = 0;  ///< where its unwind information is; on ARM64 also packed into it
};

/// Thread-safe. Tables are opened at the first question that needs them.
class PeTables {
public:
    /// Both must outlive it.
    PeTables(const Process& process, const Symbolizer& symbolizer)
        : process_(process),
          symbolizer_(symbolizer),
          slots_(std::make_unique<Slot[]>(process.modules.size())) {}

    /// The function that contains `address`, on x64. `covered` says whether a table speaks of the
    /// code there: then, without a function, it is a leaf's.
    struct Found {
        std::optional<PeFunction> function;
        bool covered = false;
    };
    [[nodiscard]] Found findX64(std::uint64_t address) const;

    /// The table's entry on ARM64: the last one that begins at or below the address. How long the
    /// function is, only its unwind information tells; `end` is 0.
    [[nodiscard]] Found findArm64(std::uint64_t address) const;

private:
    struct Table {
        std::uint64_t base = 0;
        ByteView entries;
    };
    struct Slot {
        std::once_flag once;
        std::shared_ptr<const PeImage> image;
        Table table;
    };
    [[nodiscard]] std::optional<Table> tableOf(std::uint64_t address, std::size_t entrySize) const;

    const Process& process_;
    const Symbolizer& symbolizer_;
    std::unique_ptr<Slot[]> slots_;  ///< one per module
};

}  // namespace icecore
