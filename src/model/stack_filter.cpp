// MiniDumpFilterMemory: stacks without what a program kept in them but its return addresses; and
// stacks without the strings of arguments and environment.
#include <algorithm>

#include "bytes/elf_layout.h"
#include "model/save_plan.h"
#include "model/thread_stacks.h"

namespace icecore {

namespace {

/// The first range of an ascending, disjoint list that ends above `address`.
auto firstEndingAbove(const std::vector<Range>& ranges, std::uint64_t address) {
    return std::partition_point(ranges.begin(), ranges.end(),
                                [&](const Range& range) { return range.end() <= address; });
}

bool contains(const std::vector<Range>& ranges, std::uint64_t address) {
    const auto at = firstEndingAbove(ranges, address);
    return at != ranges.end() && at->contains(address);
}

/// Zeros stand for what may not be written.
class FilteredSpace final : public AddressSpace {
public:
    FilteredSpace(const Process& process, const SavePlan& plan)
        : inner_(process.memory), wordSize_(archInfo(process.system.arch).pointerSize) {
        if (plan.filterMemory) filterStacks(process);
        if (!plan.arguments) hideArguments(process);
    }

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        const ReadOutcome outcome = inner_->read(address, out);
        const Range got = Range::ofSize(address, outcome.bytes);
        forEachPart(stacks_, got, [&](Range part) { filter(part, address, out); });
        forEachPart(hidden_, got, [&](Range part) { clear(part, address, out); });
        return outcome;
    }

    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        return inner_->extents(within);
    }

    [[nodiscard]] std::string explain(std::uint64_t address) const override {
        std::string text = inner_->explain(address);
        if (contains(stacks_, address) || contains(hidden_, address)) text += " (filtered)";
        return text;
    }

    [[nodiscard]] std::span<const std::byte> window(std::uint64_t address) const override {
        auto whole = inner_->window(address);
        for (const auto* ranges : {&stacks_, &hidden_}) {
            const auto next = firstEndingAbove(*ranges, address);
            if (next == ranges->end()) continue;
            const std::uint64_t clean = next->begin() > address ? next->begin() - address : 0;
            whole =
                whole.first(static_cast<std::size_t>(std::min<std::uint64_t>(whole.size(), clean)));
        }
        return whole;
    }

private:
    void filterStacks(const Process& process) {
        RangeSet stacks;
        // What lies below the stack pointer in its page is dead, and may be saved with the page.
        for (const Range& stack : threadStacks(process, true))
            stacks.add(Range::between(alignDown(stack.begin(), 4096), stack.end()));
        stacks_ = stacks.ranges();
        RangeSet targets;
        for (const Region& region : process.regions) {
            if (region.protection.execute) targets.add(region.range);
        }
        if (process.regions.empty()) {
            for (const Module& module : process.modules)
                targets.add(module.range);
        }
        for (const Range& stack : stacks_)
            targets.add(stack);
        targets_ = targets.ranges();
    }

    void hideArguments(const Process& process) {
        // The kernel puts the strings above the 16 random bytes AT_RANDOM points to.
        const auto random = process.auxvValue(elf::auxRandom);
        const Region* stack = random ? process.regionAt(*random) : nullptr;
        if (stack != nullptr) hidden_.push_back(Range::between(*random, stack->range.end()));
    }

    template <class Use>
    static void forEachPart(const std::vector<Range>& ranges, Range within, Use use) {
        for (auto range = firstEndingAbove(ranges, within.begin());
             range != ranges.end() && range->begin() < within.end(); ++range) {
            if (const Range part = range->intersect(within); !part.empty()) use(part);
        }
    }

    static void clear(Range part, std::uint64_t address, std::span<std::byte> out) {
        std::ranges::fill(out.subspan(static_cast<std::size_t>(part.begin() - address),
                                      static_cast<std::size_t>(part.size())),
                          std::byte{0});
    }

    /// What unwinding needs stays: return addresses, saved frame and stack pointers, also those in
    /// signal frames.
    void filter(Range part, std::uint64_t address, std::span<std::byte> out) const {
        for (std::uint64_t word = alignDown(part.begin(), wordSize_); word < part.end();
             word += wordSize_) {
            const auto value = inner_->readPointer(word, wordSize_);
            if (value && contains(targets_, *value)) continue;
            clear(Range::ofSize(word, wordSize_).intersect(part), address, out);
        }
    }

    std::shared_ptr<const AddressSpace> inner_;
    std::vector<Range> stacks_, targets_, hidden_;
    std::size_t wordSize_;
};

}  // namespace

std::shared_ptr<const AddressSpace> memoryToSave(const Process& process, const SavePlan& plan) {
    if (!plan.filterMemory && plan.arguments) return process.memory;
    return std::make_shared<FilteredSpace>(process, plan);
}

}  // namespace icecore
