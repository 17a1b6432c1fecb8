#include "analysis/windows_waits.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "analysis/mutex_owners.h"
#include "analysis/skip_rules.h"
#include "base/text.h"

namespace icecore {

namespace {

/// RTL_CRITICAL_SECTION (winnt.h): DebugInfo, LockCount, RecursionCount, OwningThread,
/// LockSemaphore, SpinCount.
struct CriticalSection {
    std::uint64_t address = 0;
    std::int32_t lockCount = 0, recursionCount = 0;
    std::uint64_t owner = 0;  ///< thread id
    bool proven = false;      ///< its debug information names it
};

std::optional<CriticalSection> sectionAt(const CrashCase& crash, std::uint64_t address) {
    const std::uint64_t size = crash.pointerSize();
    constexpr std::uint64_t smallest = 0x10000;  // nothing is mapped below
    if (address < smallest || address % size != 0) return std::nullopt;
    const AddressSpace& memory = *crash.process.memory;
    CriticalSection section;
    section.address = address;
    const auto debug = memory.readPointer(address, size);
    const auto lockCount = memory.readInteger<std::int32_t>(address + size);
    const auto recursion = memory.readInteger<std::int32_t>(address + size + 4);
    const auto owner = memory.readPointer(address + size + 8, size);
    if (!debug || !lockCount || !recursion || !owner) return std::nullopt;
    section.lockCount = *lockCount;
    section.recursionCount = *recursion;
    section.owner = *owner & UINT32_MAX;
    constexpr std::int32_t deepest = 1000;
    const bool held = section.recursionCount > 0 && section.recursionCount <= deepest;
    // Free is -1. Taken it is 0 and more, or, since Windows Vista, has its lowest bit clear.
    const bool locked = section.lockCount >= 0 || (section.lockCount & 1) == 0;
    if (!held || !locked || crash.process.thread(section.owner) == nullptr) return std::nullopt;
    // RTL_CRITICAL_SECTION_DEBUG: Type and CreatorBackTraceIndex, 16 bits each, then the section.
    const std::uint64_t none = size == 8 ? UINT64_MAX : UINT32_MAX;
    if (*debug == none || *debug == 0) return section;
    const auto back = memory.readPointer(*debug + size, size);
    if (back && *back != address) return std::nullopt;
    section.proven = back.has_value();
    return section;
}

/// PEB::LoaderLock.
std::optional<std::uint64_t> loaderLock(const CrashCase& crash) {
    if (!crash.process.peb) return std::nullopt;
    const std::uint64_t offset = crash.pointerSize() == 8 ? 0x110 : 0xa0;
    return crash.process.memory->readPointer(*crash.process.peb + offset, crash.pointerSize());
}

/// What the system's own frames may have kept: the registers, and the stack up to the first frame
/// of somebody else, with the home space for the arguments that it left for its callee.
std::vector<std::uint64_t> candidates(const CrashCase& crash, const Thread& thread,
                                      const NamedStack& stack) {
    std::vector<std::uint64_t> words;
    const Registers& registers = thread.context->registers;
    const ArchInfo& info = archInfo(crash.arch());
    for (std::size_t id = 0; id < info.registers.size(); ++id) {
        if (const auto value = registers.get(static_cast<RegisterId>(id))) words.push_back(*value);
    }
    constexpr std::uint64_t homeSpace = 32, deepest = 4096;
    std::uint64_t end = registers.sp();
    for (const NamedFrame& frame : stack.frames) {
        end = std::max(end, frame.sp);
        if (!whyNotResponsible(frame)) break;
    }
    const std::uint64_t size = std::min(end - registers.sp() + homeSpace, deepest);
    const auto bytes = crash.process.memory->readUpTo(registers.sp(), size);
    const std::size_t step = crash.pointerSize();
    for (std::size_t at = 0; at + step <= bytes.size(); at += step) {
        words.push_back(step == 8 ? loadInteger<std::uint64_t>(bytes.data() + at)
                                  : loadInteger<std::uint32_t>(bytes.data() + at));
    }
    return words;
}

}  // namespace

void findCriticalSection(const CrashCase& crash, const Thread& thread, const NamedStack& stack,
                         Activity& out) {
    if (!thread.context) return;
    std::optional<CriticalSection> found;
    for (const std::uint64_t word : candidates(crash, thread, stack)) {
        auto section = sectionAt(crash, word);
        // One's own section does not make one wait.
        if (!section || section->owner == thread.id) continue;
        if (found && (found->proven || !section->proven)) continue;
        found = section;
    }
    if (!found) return;
    const bool loader = loaderLock(crash) == found->address;
    out.mutex = found->address;
    out.waitsFor = found->owner;
    out.text =
        fmt::format("waiting for {} held by {}", loader ? "the loader lock" : "a critical section",
                    threadText(crash.process, found->owner));
    out.evidence = fmt::format(
        "{} waits for {} at {}, whose owner is {} (LockCount {}, RecursionCount {})",
        threadText(crash.process, thread.id), loader ? "the loader lock" : "the critical section",
        hex(found->address), threadText(crash.process, found->owner), found->lockCount,
        found->recursionCount);
}

void findMutex(const CrashCase& crash, const Thread& thread, const NamedStack& stack,
               Activity& out) {
    if (!thread.context) return;
    const auto owners = mutexOwners(crash.snapshot);
    std::optional<std::pair<std::uint64_t, std::uint64_t>> found;  // handle and thread
    for (const std::uint64_t word : candidates(crash, thread, stack)) {
        const auto owned = owners.find(word);
        // One's own mutex does not make one wait.
        if (owned == owners.end() || owned->second == thread.id ||
            crash.process.thread(owned->second) == nullptr)
            continue;
        if (found && found->first != word) return;
        found = *owned;
    }
    if (!found) return;
    const auto& [value, owner] = *found;
    const auto handle = std::ranges::find(crash.process.handles.items, value, &Handle::value);
    const bool named = handle != crash.process.handles.items.end() && !handle->name.empty();
    const std::string name = named ? " " + printable(handle->name) : std::string();
    out.mutex = value;
    out.waitsFor = owner;
    out.text =
        fmt::format("waiting for the mutex{} held by {}", name, threadText(crash.process, owner));
    out.evidence = fmt::format("{} waits for the mutex{} with the handle {}, whose owner is {}",
                               threadText(crash.process, thread.id), name, hex(value),
                               threadText(crash.process, owner));
}

}  // namespace icecore
