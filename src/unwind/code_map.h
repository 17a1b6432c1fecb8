// What an unwinder asks about code: is an address executable, does a call precede it, where does
// its function begin.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "model/process.h"
#include "symbols/symbolizer.h"
#include "unwind/call_site.h"

namespace icecore {

/// Thread-safe. Code is read from the dump, else from the modules' files.
class CodeMap {
public:
    /// Both must outlive it.
    CodeMap(const Process& process, const Symbolizer& symbolizer);

    enum class Executable : std::uint8_t { no, unknown, yes };
    /// By the regions' protection. Where the dump tells none (gdb's cores leave code out and name
    /// only the file) the executable segments of the module's file decide; outside of all regions
    /// and modules it is unknown unless the dump lists every region.
    [[nodiscard]] Executable executable(std::uint64_t address) const;

    /// The call that would return to `address`, in memory that is executable or, where the dump
    /// does not tell, in a module; nothing when there is none or the code cannot be read.
    [[nodiscard]] std::optional<CallSite> callBefore(Arch arch, std::uint64_t address) const;
    /// Whether the code before `address` can be read and is no call.
    [[nodiscard]] bool surelyNotCalled(Arch arch, std::uint64_t address) const;
    /// Where the function that contains `address` begins, by the symbol tables.
    [[nodiscard]] std::optional<std::uint64_t> functionStart(std::uint64_t address) const;
    /// Whether `callee`, the target of a call, may have led to the function of `pc`: it is that
    /// function, or code that jumps on (PLT entry, thunk).
    enum class Leads : std::uint8_t { no, perhaps, surely };
    [[nodiscard]] Leads leadsTo(Arch arch, const CallSite& call, std::uint64_t pc) const;

    /// Reads code bytes; how many could be read.
    [[nodiscard]] std::size_t read(std::uint64_t address, std::span<std::byte> out) const {
        return memory_->read(address, out).bytes;
    }
    /// Memory completed by the modules' files.
    [[nodiscard]] const AddressSpace& memory() const { return *memory_; }
    [[nodiscard]] const Process& process() const { return process_; }

private:
    struct ModuleCode {
        std::once_flag once;
        std::vector<Range> ranges;  ///< executable segments, runtime addresses
        bool known = false;
    };
    [[nodiscard]] Executable inModuleCode(const Module& module, std::uint64_t address) const;
    [[nodiscard]] bool mayBeCode(std::uint64_t address) const;
    [[nodiscard]] bool jumpsOn(Arch arch, std::uint64_t address) const;

    const Process& process_;
    const Symbolizer& symbolizer_;
    std::shared_ptr<const AddressSpace> memory_;
    std::unique_ptr<ModuleCode[]> moduleCode_;  ///< one per module
};

}  // namespace icecore
