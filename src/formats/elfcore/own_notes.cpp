#include "formats/elfcore/own_notes.h"

#include <algorithm>
#include <chrono>
#include <unordered_map>

#include "base/text.h"
#include "base/version.h"
#include "bytes/cursor.h"
#include "formats/elfcore/records.h"

namespace icecore::elfcore {

namespace {

/// Entries of any list that are kept; a real process has fewer.
constexpr std::size_t maxEntries = 4'000'000;

// The order of the enumerations in the model is not part of the file: names are.
constexpr std::array<std::string_view, 4> consistencyNames = {"unknown", "frozen", "mixed",
                                                              "smeared"};
constexpr std::array<std::string_view, 4> coverageNames = {"absent", "complete", "partial",
                                                           "failed"};
constexpr std::array regionKinds = {
    RegionKind::unknown, RegionKind::anonymous, RegionKind::file, RegionKind::image,
    RegionKind::shared,  RegionKind::stack,     RegionKind::heap, RegionKind::vdso,
    RegionKind::special, RegionKind::reserved,  RegionKind::free,
};

template <class Enum, std::size_t N>
Enum byName(const std::array<std::string_view, N>& names, std::string_view name) {
    const auto found = std::ranges::find(names, name);
    return found == names.end() ? Enum{} : static_cast<Enum>(found - names.begin());
}
template <class Enum, std::size_t N>
std::string_view nameOf(const std::array<std::string_view, N>& names, Enum value) {
    return names[std::min(static_cast<std::size_t>(value), N - 1)];
}

RegionKind regionKindByName(std::string_view name) {
    const auto found =
        std::ranges::find(regionKinds, name, [](RegionKind kind) { return toString(kind); });
    return found == regionKinds.end() ? RegionKind::unknown : *found;
}

std::int64_t nanoseconds(TimePoint time) {
    return time.time_since_epoch().count();
}
TimePoint timePoint(std::int64_t value) {
    return TimePoint(std::chrono::nanoseconds(value));
}

void optionalTime(RecordWriter& out, std::string_view key,
                  const std::optional<std::chrono::nanoseconds>& time) {
    if (time) out.number(key, time->count());
}
std::optional<std::chrono::nanoseconds> timeOf(const Record& record, std::string_view key) {
    const auto value = record.number(key);
    return value ? std::optional(std::chrono::nanoseconds(*value)) : std::nullopt;
}

template <class T>
void encodeCoverage(RecordWriter& out, std::string_view key, const Listing<T>& list) {
    out.text(key, nameOf(coverageNames, list.coverage));
}
template <class T>
void decodeCoverage(const Record& record, std::string_view key, Listing<T>& list) {
    if (record.has(key)) list.coverage = byName<Coverage>(coverageNames, record.text(key));
}

void encodeSystem(RecordWriter& out, const SystemInfo& system) {
    out.textIfAny("os-version", system.version).textIfAny("distribution", system.distribution);
    out.textIfAny("host", system.hostName).textIfAny("cpu", system.cpuModel);
    out.number("cpus", system.cpuCount);
    out.number("major", system.major).number("minor", system.minor).number("build", system.build);
}
void decodeSystem(const Record& record, SystemInfo& system) {
    system.version = record.text("os-version");
    system.distribution = record.text("distribution");
    system.hostName = record.text("host");
    system.cpuModel = record.text("cpu");
    const auto small = [&](std::string_view key) {
        return static_cast<std::uint32_t>(record.number(key).value_or(0));
    };
    system.cpuCount = small("cpus");
    system.major = small("major");
    system.minor = small("minor");
    system.build = small("build");
}

std::string protectionText(Protection protection) {
    std::string text;
    text += protection.read ? 'r' : '-';
    text += protection.write ? 'w' : '-';
    text += protection.execute ? 'x' : '-';
    if (protection.guard) text += 'g';
    return text;
}
Protection protectionOf(std::string_view text) {
    const auto has = [&](char c) { return text.find(c) != std::string_view::npos; };
    return {has('r'), has('w'), has('x'), has('g')};
}

struct RegionFlag {
    char letter;
    bool Region::* member;
};
constexpr std::array regionFlags = {
    RegionFlag{'s', &Region::shared},   RegionFlag{'d', &Region::dontDump},
    RegionFlag{'f', &Region::dontFork}, RegionFlag{'w', &Region::wipeOnFork},
    RegionFlag{'i', &Region::io},       RegionFlag{'h', &Region::hugeTlb},
};

}  // namespace

std::string_view storedName(std::string_view path, bool fileNamesOnly) {
    // "[heap]" and "[anon:a/b]" are not paths.
    if (!fileNamesOnly || path.empty() || path.front() != '/') return path;
    return path.substr(path.rfind('/') + 1);
}

std::string encodeInfo(const Snapshot& snapshot, const SavePlan& plan) {
    const Process& process = *snapshot.process;
    RecordWriter out;
    out.number("format", 1);
    out.text("tool", "icecore " + std::string(versionText));
    out.text("type", toString(plan.type));
    if (snapshot.provenance.time) out.number("time", nanoseconds(*snapshot.provenance.time));
    out.text("consistency", nameOf(consistencyNames, snapshot.provenance.consistency));
    out.number("unread-note", 1);
    encodeSystem(out, process.system);
    out.textIfAny("executable", storedName(process.executable, plan.filterModulePaths));
    out.textIfAny("directory", process.workingDirectory);
    if (process.started) out.number("started", nanoseconds(*process.started));
    optionalTime(out, "user-time", process.userTime);
    optionalTime(out, "kernel-time", process.kernelTime);
    encodeCoverage(out, "threads", process.threads);
    // A list that was narrowed is not complete, whatever it was before.
    if (plan.keptModules && plan.keptModules->size() < process.modules.size())
        out.text("modules", nameOf(coverageNames, Coverage::partial));
    else
        encodeCoverage(out, "modules", process.modules);
    encodeCoverage(out, "regions", process.regions);
    if (plan.handles) encodeCoverage(out, "handles", process.handles);
    if (process.exception)
        out.number("exception-thread", std::int64_t(process.exception->threadId));
    out.endRecord();
    if (!plan.arguments) return out.take();
    for (const std::string& argument : process.commandLine) {
        out.text("argument", argument);
        out.endRecord();
    }
    for (const std::string& variable : process.environment) {
        out.text("environment", variable);
        out.endRecord();
    }
    return out.take();
}

OwnInfo decodeInfo(std::string_view text, Snapshot& snapshot) {
    OwnInfo info;
    Process& process = *snapshot.process;
    std::vector<std::string> arguments, environment;
    forEachRecord(text, [&](const Record& record) {
        if (record.has("argument")) {
            arguments.push_back(record.text("argument"));
            return;
        }
        if (record.has("environment")) {
            environment.push_back(record.text("environment"));
            return;
        }
        Provenance& provenance = snapshot.provenance;
        if (record.has("tool")) provenance.tool = record.text("tool");
        if (record.has("type")) provenance.type = record.text("type");
        if (const auto time = record.number("time")) provenance.time = timePoint(*time);
        provenance.consistency = byName<Consistency>(consistencyNames, record.text("consistency"));
        info.hasUnreadNote = record.number("unread-note").value_or(0) != 0;
        decodeSystem(record, process.system);
        if (record.has("executable")) process.executable = record.text("executable");
        process.workingDirectory = record.text("directory");
        if (const auto time = record.number("started")) process.started = timePoint(*time);
        process.userTime = timeOf(record, "user-time");
        process.kernelTime = timeOf(record, "kernel-time");
        decodeCoverage(record, "threads", process.threads);
        decodeCoverage(record, "modules", process.modules);
        decodeCoverage(record, "regions", process.regions);
        decodeCoverage(record, "handles", process.handles);
    });
    if (!arguments.empty()) process.commandLine = std::move(arguments);
    if (!environment.empty()) process.environment = std::move(environment);
    return info;
}

std::string encodeThreads(const Process& process, const SavePlan& plan) {
    RecordWriter out;
    for (const Thread& thread : process.threads) {
        out.number("id", static_cast<std::int64_t>(thread.id)).textIfAny("name", thread.name);
        if (thread.stack) out.range("stack", *thread.stack);
        if (thread.tls) out.address("tls", *thread.tls);
        if (thread.state != 0) out.text("state", std::string_view(&thread.state, 1));
        if (thread.priority) out.number("priority", *thread.priority);
        if (thread.suspendCount != 0) out.number("suspended", thread.suspendCount);
        if (plan.threadInfo) {
            if (thread.startAddress) out.address("start", *thread.startAddress);
            optionalTime(out, "user-time", thread.userTime);
            optionalTime(out, "kernel-time", thread.kernelTime);
            if (thread.created) out.number("created", nanoseconds(*thread.created));
            if (thread.affinity) out.address("affinity", *thread.affinity);
        }
        if (!thread.context) out.number("no-context", 1);
        out.endRecord();
    }
    return out.take();
}

void decodeThreads(std::string_view text, Process& process) {
    std::unordered_map<std::uint64_t, Thread*> byId;
    for (Thread& thread : process.threads)
        byId.emplace(thread.id, &thread);
    forEachRecord(text, [&](const Record& record) {
        const auto id = record.number("id");
        const auto found = id ? byId.find(static_cast<std::uint64_t>(*id)) : byId.end();
        if (found == byId.end()) return;
        Thread& thread = *found->second;
        if (record.has("name")) thread.name = record.text("name");
        if (const auto stack = record.range("stack")) thread.stack = *stack;
        if (const auto tls = record.address("tls"); tls) thread.tls = tls;
        thread.startAddress = record.address("start");
        if (const std::string state = record.text("state"); !state.empty())
            thread.state = state.front();
        if (const auto priority = record.number("priority"))
            thread.priority = static_cast<std::int32_t>(*priority);
        thread.suspendCount = static_cast<std::uint32_t>(record.number("suspended").value_or(0));
        // Finer than the microseconds of NT_PRSTATUS.
        if (const auto time = timeOf(record, "user-time")) thread.userTime = time;
        if (const auto time = timeOf(record, "kernel-time")) thread.kernelTime = time;
        if (const auto created = record.number("created")) thread.created = timePoint(*created);
        thread.affinity = record.address("affinity");
        // Stored with zeros in its place, which are not registers.
        if (record.has("no-context")) thread.context.reset();
    });
}

std::string encodeRegions(const Process& process, const SavePlan& plan) {
    RecordWriter out;
    for (const Region& region : process.regions) {
        out.range("at", region.range).text("may", protectionText(region.protection));
        out.text("kind", toString(region.kind));
        std::string flags;
        for (const RegionFlag& flag : regionFlags) {
            if (region.*flag.member) flags += flag.letter;
        }
        out.textIfAny("flags", flags);
        if (region.fileOffset != 0) out.address("offset", region.fileOffset);
        if (region.device != 0) out.address("device", region.device);
        if (region.inode != 0) out.address("inode", region.inode);
        if (region.allocationBase) out.address("allocation", *region.allocationBase);
        if (region.allocationProtection)
            out.text("allocated", protectionText(*region.allocationProtection));
        out.textIfAny("name", storedName(region.name, plan.filterModulePaths));
        out.endRecord();
    }
    return out.take();
}

void decodeRegions(std::string_view text, Process& process) {
    process.regions.items.clear();
    std::uint64_t end = 0;
    forEachRecord(text, [&](const Record& record) {
        const auto at = record.range("at");
        // The model promises ascending and disjoint ones.
        if (!at || at->empty() || at->begin() < end || process.regions.size() >= maxEntries) return;
        end = at->end();
        Region region;
        region.range = *at;
        region.protection = protectionOf(record.text("may"));
        region.kind = regionKindByName(record.text("kind"));
        const std::string flags = record.text("flags");
        for (const RegionFlag& flag : regionFlags)
            region.*flag.member = flags.find(flag.letter) != std::string::npos;
        region.fileOffset = record.address("offset").value_or(0);
        region.device = record.address("device").value_or(0);
        region.inode = record.address("inode").value_or(0);
        region.allocationBase = record.address("allocation");
        if (record.has("allocated"))
            region.allocationProtection = protectionOf(record.text("allocated"));
        region.name = record.text("name");
        process.regions.items.push_back(std::move(region));
    });
}

std::string encodeHandles(const Process& process) {
    RecordWriter out;
    for (const Handle& handle : process.handles) {
        out.number("value", static_cast<std::int64_t>(handle.value));
        out.textIfAny("type", handle.type).textIfAny("name", handle.name);
        if (handle.access != 0) out.address("access", handle.access);
        if (handle.attributes != 0) out.address("attributes", handle.attributes);
        if (handle.handleCount != 0) out.number("handles", handle.handleCount);
        if (handle.pointerCount != 0) out.number("pointers", handle.pointerCount);
        if (handle.position) out.number("position", static_cast<std::int64_t>(*handle.position));
        out.endRecord();
    }
    return out.take();
}

void decodeHandles(std::string_view text, Process& process) {
    forEachRecord(text, [&](const Record& record) {
        const auto value = record.number("value");
        if (!value || process.handles.size() >= maxEntries) return;
        Handle handle;
        handle.value = static_cast<std::uint64_t>(*value);
        handle.type = record.text("type");
        handle.name = record.text("name");
        handle.access = static_cast<std::uint32_t>(record.address("access").value_or(0));
        handle.attributes = static_cast<std::uint32_t>(record.address("attributes").value_or(0));
        handle.handleCount = static_cast<std::uint32_t>(record.number("handles").value_or(0));
        handle.pointerCount = static_cast<std::uint32_t>(record.number("pointers").value_or(0));
        if (const auto position = record.number("position"))
            handle.position = static_cast<std::uint64_t>(*position);
        process.handles.items.push_back(std::move(handle));
    });
}

std::string encodeModules(const Process& process, const SavePlan& plan) {
    RecordWriter out;
    for (const Module& module : process.modules) {
        if (!plan.keeps(module)) continue;
        out.range("at", module.range);
        if (module.bias) out.address("bias", *module.bias);
        if (module.id.kind != ModuleId::Kind::none) {
            out.text(module.id.kind == ModuleId::Kind::pdb ? "pdb" : "build-id",
                     hexBytes(module.id.bytes));
            if (module.id.age != 0) out.number("age", module.id.age);
        }
        out.textIfAny("debug-file", module.debugFile).textIfAny("version", module.version);
        if (module.timestamp != 0) out.number("timestamp", module.timestamp);
        if (module.checksum != 0) out.number("checksum", module.checksum);
        if (module.imageSize != 0) out.number("image-size", module.imageSize);
        out.textIfAny("path", storedName(module.path, plan.filterModulePaths));
        out.endRecord();
    }
    return out.take();
}

void decodeModules(std::string_view text, Process& process) {
    std::uint64_t end = 0;
    forEachRecord(text, [&](const Record& record) {
        const auto at = record.range("at");
        if (!at || at->begin() < end || process.modules.size() >= maxEntries) return;
        end = at->end();
        Module module;
        module.range = *at;
        module.bias = record.address("bias");
        const bool pdb = record.has("pdb");
        if (auto id = parseHexBytes(record.text(pdb ? "pdb" : "build-id")); id && !id->empty()) {
            module.id.kind = pdb ? ModuleId::Kind::pdb : ModuleId::Kind::build_id;
            module.id.bytes = std::move(*id);
        }
        const auto small = [&](std::string_view key) {
            return static_cast<std::uint32_t>(record.number(key).value_or(0));
        };
        module.id.age = small("age");
        module.timestamp = small("timestamp");
        module.checksum = small("checksum");
        module.imageSize = small("image-size");
        module.debugFile = record.text("debug-file");
        module.version = record.text("version");
        module.path = record.text("path");
        process.modules.items.push_back(std::move(module));
    });
}

std::vector<std::byte> encodeUnread(const std::vector<Range>& unread) {
    std::vector<std::byte> out;
    out.reserve(unreadNoteSize);
    const std::size_t count = std::min(unread.size(), unreadCapacity);
    appendInteger(out, static_cast<std::uint64_t>(count));
    appendInteger(out, static_cast<std::uint64_t>(unread.size()));
    for (std::size_t i = 0; i < count; ++i) {
        const bool spansRest = i + 1 == count && unread.size() > count;
        appendInteger(out, unread[i].begin());
        appendInteger(out, spansRest ? unread.back().end() : unread[i].end());
    }
    out.resize(unreadNoteSize);
    return out;
}

Result<std::vector<Range>> decodeUnread(ByteView content) {
    Cursor cursor(content);
    const std::uint64_t count = cursor.u64();
    cursor.skip(8);
    TRY(cursor.status("the list of unread ranges"));
    if (!cursor.canHold(count, 16))
        return fail(Errc::malformed, "the list of unread ranges is longer than its note",
                    content.where());
    std::vector<Range> unread;
    unread.reserve(static_cast<std::size_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t begin = cursor.u64();
        const std::uint64_t end = cursor.u64();
        if (const Range range = Range::between(begin, end); !range.empty()) unread.push_back(range);
    }
    return unread;
}

}  // namespace icecore::elfcore
