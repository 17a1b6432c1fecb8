// MiniDumpFilterMemory: stacks without what a program kept in them but its return addresses.
#include <algorithm>

#include "base/text.h"
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

/// Stack words that point neither to code nor to a stack read as zero. What unwinding needs stays:
/// return addresses, saved frame and stack pointers, and those in signal frames.
class FilteredSpace final : public AddressSpace {
public:
    explicit FilteredSpace(const Process& process)
        : inner_(process.memory), stacks_(threadStacks(process, true)),
          wordSize_(archInfo(process.system.arch).pointerSize) {
        RangeSet targets;
        for (const Region& region : process.regions) {
            if (region.protection.execute) targets.add(region.range);
        }
        if (process.regions.empty()) {
            for (const Module& module : process.modules) targets.add(module.range);
        }
        for (const Range& stack : stacks_) targets.add(stack);
        targets_ = targets.ranges();
    }

    [[nodiscard]] ReadOutcome read(std::uint64_t address, std::span<std::byte> out) const override {
        const ReadOutcome outcome = inner_->read(address, out);
        const Range got = Range::ofSize(address, outcome.bytes);
        for (auto stack = firstEndingAbove(stacks_, address);
             stack != stacks_.end() && stack->begin() < got.end(); ++stack) {
            filter(stack->intersect(got), address, out);
        }
        return outcome;
    }

    [[nodiscard]] std::vector<Extent> extents(Range within) const override {
        return inner_->extents(within);
    }

    [[nodiscard]] std::string explain(std::uint64_t address) const override {
        std::string text = inner_->explain(address);
        if (contains(stacks_, address)) text += " (filtered: pointers only)";
        return text;
    }

    [[nodiscard]] std::span<const std::byte> window(std::uint64_t address) const override {
        const auto whole = inner_->window(address);
        const auto stack = firstEndingAbove(stacks_, address);
        if (stack == stacks_.end()) return whole;
        if (stack->begin() <= address) return {};
        return whole.first(static_cast<std::size_t>(
            std::min<std::uint64_t>(whole.size(), stack->begin() - address)));
    }

private:
    void filter(Range part, std::uint64_t address, std::span<std::byte> out) const {
        for (std::uint64_t word = alignDown(part.begin(), wordSize_); word < part.end();
             word += wordSize_) {
            const auto value = inner_->readPointer(word, wordSize_);
            if (value && contains(targets_, *value)) continue;
            const Range cut = Range::ofSize(word, wordSize_).intersect(part);
            std::ranges::fill(out.subspan(static_cast<std::size_t>(cut.begin() - address),
                                          static_cast<std::size_t>(cut.size())),
                              std::byte{0});
        }
    }

    std::shared_ptr<const AddressSpace> inner_;
    std::vector<Range> stacks_, targets_;
    std::size_t wordSize_;
};

}  // namespace

std::shared_ptr<const AddressSpace> memoryToSave(const Process& process, const SavePlan& plan) {
    if (!plan.filterMemory) return process.memory;
    return std::make_shared<FilteredSpace>(process);
}

}  // namespace icecore
