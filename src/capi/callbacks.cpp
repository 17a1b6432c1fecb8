#include "capi/callbacks.h"

#include <icecore/minidump.h>

#include <algorithm>
#include <optional>
#include <span>

#include "arch/windows_context.h"
#include "base/range.h"
#include "base/text.h"

namespace icecore::capi {

namespace {

using namespace std::chrono_literals;

constexpr auto cancelPause = 50ms;
/// A routine that never says stop must not keep us for ever.
constexpr std::size_t maxMemoryQuestions = 65536;

CallbackQuestion question(MINIDUMP_CALLBACK_TYPE type, std::uint64_t processId) {
    CallbackQuestion asked;
    asked.type = static_cast<std::uint32_t>(type);
    asked.processId = processId;
    return asked;
}

CallbackQuestion about(const Thread& thread, std::uint64_t processId) {
    CallbackQuestion asked = question(ThreadCallback, processId);
    asked.threadId = thread.id;
    asked.flags = ThreadWriteThread | ThreadWriteStack | ThreadWriteContext;
    if (thread.stack) {
        asked.stackBase = thread.stack->end();
        asked.stackEnd = thread.stack->begin();
    }
    if (thread.context) {
        const std::vector<std::byte> raw = writeWindowsContext(*thread.context);
        asked.contextSize = static_cast<std::uint32_t>(std::min(raw.size(), asked.context.size()));
        std::copy_n(raw.begin(), asked.contextSize, asked.context.begin());
    }
    return asked;
}

CallbackQuestion about(const Module& module, const SavePlan& plan, std::uint64_t processId) {
    CallbackQuestion asked = question(ModuleCallback, processId);
    asked.base = module.range.begin();
    asked.size =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(module.range.size(), UINT32_MAX));
    asked.checksum = module.checksum;
    asked.timestamp = module.timestamp;
    asked.flags = ModuleWriteModule | ModuleWriteMiscRecord | ModuleWriteCvRecord;
    if (plan.type.has(DumpFlag::with_data_segs)) asked.flags |= ModuleWriteDataSeg;
    if (plan.type.has(DumpFlag::with_code_segs)) asked.flags |= ModuleWriteCodeSegs;
    if (plan.keptModules && plan.keeps(module)) asked.flags |= ModuleReferencedByMemory;
    const std::u16string path = utf8ToUtf16(pathToSave(module.path, plan));
    std::copy_n(path.begin(), std::min(path.size(), asked.path.size() - 1), asked.path.begin());
    if (module.id.kind == ModuleId::Kind::build_id) {
        // Breakpad's record, which the minidump will have too: "LEpB" and the build-id.
        constexpr std::string_view signature = "LEpB";
        const auto id =
            std::span(module.id.bytes)
                .first(std::min(module.id.bytes.size(), asked.codeView.size() - signature.size()));
        std::ranges::copy(std::as_bytes(std::span(signature)), asked.codeView.begin());
        std::ranges::copy(id, asked.codeView.begin() + signature.size());
        asked.codeViewSize = static_cast<std::uint32_t>(signature.size() + id.size());
    }
    return asked;
}

/// Ranges to save or not, gathered while questions are asked, and laid over the plan at the end.
struct MemoryChanges {
    std::vector<Range> removed, stacks;
    std::vector<SavePlan::Item> added;

    void applyTo(SavePlan& plan) const {
        RangeMap<std::optional<SaveReason>> map;
        // What was added first keeps its place.
        for (const Range& range : removed)
            map.add(range, std::nullopt);
        for (const SavePlan::Item& item : added)
            map.add(item.range, item.reason);
        for (const Range& range : stacks)
            map.add(range, std::nullopt);
        for (const SavePlan::Item& item : plan.memory)
            map.add(item.range, item.reason);
        map.seal();
        plan.memory.clear();
        for (const auto& entry : map.entries())
            if (entry.value) plan.memory.push_back({entry.range, *entry.value});
    }
};

class Interview {
public:
    Interview(const Ask& ask, Snapshot& snapshot, SavePlan& plan)
        : ask_(ask), process_(*snapshot.process), plan_(plan) {}

    Result<void> hold() {
        ASSIGN_OR_RETURN(const CallbackAnswer first, ask_(question(CancelCallback, process_.pid)));
        if (first.agreed && first.cancel) return fail(Errc::cancelled, "the callback cancelled");
        TRY(askThreads());
        TRY(askModules());
        TRY(askMemory(MemoryCallback,
                      [&](Range range) { changes_.added.push_back({range, SaveReason::all}); }));
        TRY(askMemory(RemoveMemoryCallback,
                      [&](Range range) { changes_.removed.push_back(range); }));
        changes_.applyTo(plan_);
        return {};
    }

private:
    Result<void> askThreads() {
        std::vector<Thread> kept;
        for (Thread& thread : process_.threads) {
            CallbackQuestion include = question(IncludeThreadCallback, process_.pid);
            include.threadId = thread.id;
            ASSIGN_OR_RETURN(const CallbackAnswer wanted, ask_(include));
            std::uint32_t flags = 0;
            if (wanted.agreed) {
                ASSIGN_OR_RETURN(const CallbackAnswer parts, ask_(about(thread, process_.pid)));
                if (parts.agreed) flags = parts.flags;
            }
            const bool written = (flags & ThreadWriteThread) != 0;
            // All memory is all memory, stacks of threads that are not listed included.
            const bool withStack = written && (flags & ThreadWriteStack) != 0;
            if (!withStack && thread.stack && !plan_.type.has(DumpFlag::with_full_memory))
                changes_.stacks.push_back(*thread.stack);
            if (!written) continue;
            if ((flags & ThreadWriteContext) == 0) thread.context.reset();
            kept.push_back(std::move(thread));
        }
        if (kept.size() != process_.threads.size()) process_.threads.coverage = Coverage::partial;
        process_.threads.items = std::move(kept);
        return {};
    }

    Result<void> askModules() {
        std::vector<Module> kept;
        for (Module& module : process_.modules) {
            CallbackQuestion include = question(IncludeModuleCallback, process_.pid);
            include.base = module.range.begin();
            ASSIGN_OR_RETURN(const CallbackAnswer wanted, ask_(include));
            if (!wanted.agreed) continue;
            ASSIGN_OR_RETURN(const CallbackAnswer parts, ask_(about(module, plan_, process_.pid)));
            if (!parts.agreed || (parts.flags & ModuleWriteModule) == 0) continue;
            addSegments(module, parts.flags);
            if ((parts.flags & ModuleWriteCvRecord) == 0) module.id = {};
            kept.push_back(std::move(module));
        }
        if (kept.size() != process_.modules.size()) process_.modules.coverage = Coverage::partial;
        process_.modules.items = std::move(kept);
        return {};
    }

    void addSegments(const Module& module, std::uint32_t flags) {
        for (const Region& region : process_.regions) {
            const Range part = region.range.intersect(module.range);
            if (part.empty()) continue;
            if ((flags & ModuleWriteDataSeg) != 0 && region.protection.write)
                changes_.added.push_back({part, SaveReason::module_data});
            if ((flags & ModuleWriteCodeSegs) != 0 && region.protection.execute)
                changes_.added.push_back({part, SaveReason::module_code});
        }
    }

    template <class Take>
    Result<void> askMemory(MINIDUMP_CALLBACK_TYPE type, Take take) {
        for (std::size_t i = 0; i < maxMemoryQuestions; ++i) {
            ASSIGN_OR_RETURN(const CallbackAnswer answer, ask_(question(type, process_.pid)));
            if (!answer.agreed || answer.memorySize == 0) return {};
            take(Range::ofSize(answer.memoryBase, answer.memorySize));
        }
        return fail(Errc::limit, "the callback names more than 65536 ranges of memory");
    }

    const Ask& ask_;
    Process& process_;
    SavePlan& plan_;
    MemoryChanges changes_;
};

}  // namespace

Result<void> applyCallbacks(const Ask& ask, Snapshot& snapshot, SavePlan& plan) {
    return Interview(ask, snapshot, plan).hold();
}

void CancelByCallback::advance(std::uint64_t amount) {
    inner_.advance(amount);
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (!askAgain_ || cancelled_ || now < next_) return;
    next_ = now + cancelPause;
    const auto answer = ask_(question(CancelCallback, processId_));
    // Where nobody answers any more nobody waits for the dump either.
    cancelled_ = !answer || (answer->agreed && answer->cancel);
    askAgain_ = answer && answer->agreed && answer->checkCancel;
}

bool CancelByCallback::cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_ || inner_.cancelled();
}

}  // namespace icecore::capi
