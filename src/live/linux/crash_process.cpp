#include "live/linux/crash_process.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "images/elf_modules.h"
#include "live/linux/carriage.h"
#include "live/linux/live_space.h"
#include "live/linux/maps.h"
#include "live/linux/metadata.h"
#include "live/linux/target.h"

namespace icecore::live {

namespace {

/// The last number of NSpid: the id in the innermost namespace (proc_pid_status(5)).
std::optional<std::uint64_t> innermostId(const std::string& status) {
    const auto ids = splitBlanks(statusField(status, "NSpid"));
    return ids.empty() ? std::nullopt : parseDecimal(ids.back());
}

/// What /proc knows of each thread, by the id in its own namespace.
std::map<std::uint64_t, Thread> threadsByInnerId(const Target& target, const EarlyData& early) {
    std::map<std::uint64_t, Thread> threads;
    for (const auto& [id, thread] : early.threads) {
        const auto inner = innermostId(readProcOrEmpty(taskPath(target.pid, id, "status")));
        threads.emplace(inner.value_or(static_cast<std::uint64_t>(id)), thread);
    }
    return threads;
}

/// Registers and signals of `noted`, the rest of what /proc tells.
void mergeThreads(std::vector<Thread>& noted, const std::map<std::uint64_t, Thread>& known) {
    for (Thread& thread : noted) {
        const auto found = known.find(thread.id);
        if (found == known.end()) continue;
        thread.name = found->second.name;
        thread.priority = found->second.priority;
        thread.userTime = found->second.userTime;
        thread.kernelTime = found->second.kernelTime;
        thread.created = found->second.created;
        thread.affinity = found->second.affinity;
    }
}

}  // namespace

std::string rootOf(std::uint64_t pid) {
    return procPath(static_cast<pid_t>(pid), "root");
}

CrashedProcess identifyCrashed(std::uint64_t pid) {
    CrashedProcess crashed;
    const auto process = static_cast<pid_t>(pid);
    crashed.pid = pid;
    const std::string status = readProcOrEmpty(procPath(process, "status"));
    crashed.innerPid = innermostId(status).value_or(pid);
    crashed.executable = readLink(procPath(process, "exe"));
    const std::string_view file = programName(crashed.executable);
    crashed.name = file.empty() ? trim(readProcOrEmpty(procPath(process, "comm"))) : file;
    crashed.commandLine = splitNul(readProcOrEmpty(procPath(process, "cmdline")));
    if (const auto uid = statusNumber(status, "Uid"))
        crashed.uid = static_cast<std::uint32_t>(*uid);
    // With another root directory alone (chroot) the kernel shows us the paths as they are for us.
    crashed.foreignRoot = readLink(procPath(process, "ns/mnt")) != readLink("/proc/self/ns/mnt");
    return crashed;
}

Result<Snapshot> snapshotCrashed(std::uint64_t pid, Snapshot notes) {
    if (!notes.process) return fail(Errc::malformed, "the core's head describes no process");
    ASSIGN_OR_RETURN(const Target target, identify(pid));
    EarlyData early = gatherEarly(target);
    const auto known = threadsByInnerId(target, early);

    Process& process = *notes.process;
    const std::uint64_t innerPid = process.pid;
    const auto auxv = process.auxv;
    process.auxv.clear();
    describeProcess(target, process);
    process.pid = innerPid;
    if (!auxv.empty()) process.auxv = auxv;
    process.system = early.system;
    mergeThreads(process.threads.items, known);

    Issues issues;
    ASSIGN_OR_RETURN(std::string maps, readProc(procPath(target.memoryThread, "maps")));
    std::vector<Region> regions = parseMaps(maps, issues);
    if (regions.empty())
        return fail(Errc::target_gone, "its memory is gone already", target.describe());
    if (auto flags = addRegionFlags(procPath(target.memoryThread, "smaps"), regions); !flags)
        issues.loss("what each mapping is exempt from (MADV_DONTDUMP…) is unknown: " +
                    flags.error().describe());
    std::vector<LiveArea> areas;
    areas.reserve(regions.size());
    for (const Region& region : regions)
        areas.push_back({region, sourceOf(region)});
    ASSIGN_OR_RETURN(auto pages, PageMap::open(target.memoryThread));
    process.memory = std::make_shared<LiveSpace>(
        std::move(areas), std::make_unique<MemoryReader>(target.memoryThread), std::move(pages),
        KeptMemory());
    process.regions.items = std::move(regions);
    process.regions.coverage = Coverage::complete;
    process.handles = listHandles(target.memoryThread);
    for (Thread& thread : process.threads)
        thread.stack.reset();  // guessed from the headers; now the mappings are known
    addStackRanges(process);
    process.modules = {};
    findElfModules(process, issues);

    notes.attachments = std::move(early.attachments);
    notes.attachments.push_back({"linux/maps", SharedBytes::own(std::move(maps))});
    notes.issues = std::move(issues);
    notes.provenance = liveProvenance(target, std::chrono::system_clock::now());
    notes.provenance.consistency = Consistency::frozen;
    return notes;
}

}  // namespace icecore::live
