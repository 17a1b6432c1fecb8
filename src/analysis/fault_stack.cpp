// A stack that has run out.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "analysis/fault_parts.h"
#include "analysis/windows_status.h"
#include "base/text.h"

namespace icecore {

namespace {

/// Pages below a stack that cannot be pushed to. gdb's cores record guard pages as readable.
bool mayGuard(const Region& region) {
    return region.protection.guard ||
           (!region.protection.write && !region.protection.execute && region.name.empty());
}

/// The stack above `address`, when `address` is below it: in its guard pages, or in the gap that
/// the kernel keeps free below the main thread's stack. Null when something else lies there.
const Region* stackAbove(const Process& process, std::uint64_t address) {
    const auto& regions = process.regions.items;
    auto above = std::ranges::upper_bound(
        regions, address, {}, [](const Region& region) { return region.range.begin(); });
    if (above != regions.begin()) {
        const Region& at = *std::prev(above);
        if (at.range.contains(address)) {
            if (!mayGuard(at)) return nullptr;
            // The guard must touch what it guards.
            if (above == regions.end() || above->range.begin() != at.range.end()) return nullptr;
        }
    }
    if (above == regions.end() || !above->protection.write) return nullptr;
    return &*above;
}

/// The stack pointer stands at the bottom or has left the stack, and the access is near it or
/// between it and the stack (a large local array).
bool standsAtBottom(const FaultScene& scene, const Region& stack, std::uint64_t address) {
    constexpr std::uint64_t nearBottom = 64 << 10;
    constexpr std::uint64_t farthest = 64 << 20;
    constexpr std::uint64_t belowPointer = 64 << 10;
    const std::uint64_t sp = scene.registers.sp();
    const std::uint64_t bottom = stack.range.begin();
    const bool atBottom = stack.range.contains(sp) && sp - bottom < nearBottom;
    const bool left = sp < bottom && bottom - sp < farthest;
    if (!atBottom && !left) return false;
    return address >= sp || sp - address <= belowPointer;
}

struct Recursion {
    std::string place;
    std::size_t count = 0;
};

/// The function that stands most often in the stack; of equals the first by name, so that the
/// answer does not depend on where in the circle the stack ran out.
Recursion mostFrequent(const NamedStack& stack) {
    std::map<std::string, std::size_t> counts;
    for (const NamedFrame& frame : stack.frames) {
        if (frame.trust != Trust::inlined && !frame.function.empty()) ++counts[placeText(frame)];
    }
    Recursion best;
    for (const auto& [place, count] : counts) {
        if (count > best.count + 1 || best.count == 0) best = {place, count};
    }
    return best;
}

}  // namespace

bool diagnoseStackExhaustion(const FaultScene& scene, std::uint64_t address, FaultDiagnosis& out) {
    const Process& process = scene.crash.process;
    // Windows knows it from the guard page that was used up, and says so.
    const bool told = process.system.os == Os::windows && process.exception &&
                      process.exception->code == statuses::stackOverflow;
    const Region* stack = stackAbove(process, address);
    if (!told && (stack == nullptr || !standsAtBottom(scene, *stack, address))) return false;

    out.kind = "STACK_OVERFLOW";
    out.stackExhausted = true;
    out.happening = "ran out of stack";
    std::vector<std::string> evidence;
    if (told) evidence.emplace_back("Windows raised STATUS_STACK_OVERFLOW");
    if (stack != nullptr) {
        const std::uint64_t bottom = stack->range.begin();
        evidence.push_back(fmt::format("stack pointer {}, stack from {} to {} ({})",
                                       hex(scene.registers.sp()), hex(bottom),
                                       hex(stack->range.end()), humanBytes(stack->range.size())));
        evidence.push_back(fmt::format("address {}: {} bytes below the stack's lowest page",
                                       hex(address), hex(bottom - address)));
    }
    if (scene.instruction) evidence.push_back("instruction " + instructionText(*scene.instruction));
    out.findings.push_back({"The thread's stack is exhausted.", std::move(evidence),
                            told ? Confidence::certain : Confidence::high});

    constexpr std::size_t recursive = 20;
    const Recursion recursion = mostFrequent(scene.stack);
    if (recursion.count >= recursive) {
        out.recursionPlace = recursion.place;
        out.happening += " in a recursion through " + recursion.place;
        const bool cut = scene.stack.stack.end == StackEnd::limit;
        out.findings.push_back(
            {fmt::format("The recursion goes through {}.", recursion.place),
             {fmt::format("it stands {} times in the {} innermost frames{}", recursion.count,
                          scene.stack.stack.frames.size(), cut ? ", where the walk was cut" : "")},
             Confidence::high});
    }
    return true;
}

}  // namespace icecore
