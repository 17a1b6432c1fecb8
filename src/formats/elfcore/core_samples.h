// A process made by hand, for the tests of the core reader and writer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bytes/source.h"
#include "memory/segment_space.h"
#include "model/save_plan.h"
#include "model/snapshot.h"

namespace icecore::elfcore::testing {

inline SharedBytes filled(std::size_t size, int seed) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>((i * 7 + static_cast<std::size_t>(seed)) & 0xff);
    return SharedBytes::own(std::move(bytes));
}

inline Region region(std::uint64_t begin, std::uint64_t size, RegionKind kind,
                     std::string name = {}) {
    Region region;
    region.range = Range::ofSize(begin, size);
    region.protection = {true, true, false, false};
    region.kind = kind;
    region.name = std::move(name);
    return region;
}

inline Thread thread(std::uint64_t id, std::uint64_t sp) {
    Thread thread;
    thread.id = id;
    thread.name = "worker " + std::to_string(id);
    Context context;
    context.registers = Registers(Arch::x86_64);
    for (RegisterId i = 0; i <= x64::orig_rax; ++i)
        context.registers.set(i, id * 1000 + i);
    context.registers.set(x64::rsp, sp);
    context.floatingPoint = filled(512, static_cast<int>(id));
    context.extended = filled(2696, static_cast<int>(id) + 1);
    thread.context = std::move(context);
    thread.tls = thread.context->registers.get(x64::fs_base);
    thread.stack = Range::between(sp, 0x7fff0000);
    thread.state = 'S';
    thread.priority = -5;
    thread.userTime = std::chrono::microseconds(1'234'567);
    thread.kernelTime = std::chrono::microseconds(7);
    thread.created = TimePoint(std::chrono::nanoseconds(1'700'000'000'123'456'789));
    thread.affinity = 3;
    thread.pendingSignals = 0x10;
    thread.blockedSignals = 0x8000000000000001;
    return thread;
}

/// Addresses of the sample's regions.
inline constexpr std::uint64_t codeAt = 0x400000, heapAt = 0x800000, mapAt = 0x7f0000000000,
                               stackAt = 0x7ffe00000000, pageBytes = 4096;

/// Two threads, a crash, four regions: file (one page captured of two), heap (with a zero page),
/// a mapping that was left out, a stack. The memory is file-backed by `memoryBytes()`.
inline Snapshot sampleSnapshot() {
    Snapshot snapshot;
    Process& process = snapshot.process.emplace();
    process.system.os = Os::linux_os;
    process.system.arch = Arch::x86_64;
    process.system.version = "6.1.0-test #1 SMP";
    process.system.distribution = "Some Linux 12";
    process.system.cpuCount = 8;
    process.system.cpuModel = "A CPU @ 3 GHz";
    process.system.hostName = "host";
    process.pid = 42;
    process.parentPid = 7;
    process.name = "sample";
    process.executable = "/opt/a dir/sample%1\n";
    process.commandLine = {"sample", "with space", ""};
    process.environment = {"A=1", "TAB=\t"};
    process.workingDirectory = "/tmp";
    process.uid = 1000;
    process.gid = 100;
    process.processGroup = 42;
    process.session = 40;
    process.started = TimePoint(std::chrono::nanoseconds(1'600'000'000'000'000'001));
    process.userTime = std::chrono::milliseconds(17);
    process.kernelTime = std::chrono::milliseconds(3);
    process.auxv = {{6, 4096}, {3, codeAt + 64}, {25, stackAt + 0x900}};

    process.threads.items = {thread(42, stackAt + 0x100), thread(43, stackAt + 0x200)};
    process.threads.coverage = Coverage::complete;
    process.threads[1].currentSignal = 11;

    Module module;
    module.range = Range::ofSize(codeAt, 2 * pageBytes);
    module.path = "/opt/sample";
    module.id.kind = ModuleId::Kind::build_id;
    module.id.bytes = {std::byte{0xab}, std::byte{0xcd}};
    module.version = "1.2";
    module.bias = codeAt;
    process.modules.items = {module};
    process.modules.coverage = Coverage::complete;

    process.regions.items = {
        region(codeAt, 2 * pageBytes, RegionKind::image, "/opt/sample"),
        region(heapAt, 4 * pageBytes, RegionKind::heap, "[heap]"),
        region(mapAt, 1024 * pageBytes, RegionKind::shared, "/memfd:big (deleted)"),
        region(stackAt, 2 * pageBytes, RegionKind::stack, "[stack]"),
    };
    process.regions[0].protection = {true, false, true, false};
    process.regions[0].fileOffset = pageBytes;
    process.regions[0].inode = 17;
    process.regions[2].shared = true;
    process.regions[2].dontDump = true;
    process.regions.coverage = Coverage::complete;

    Handle handle;
    handle.value = 3;
    handle.type = "File";
    handle.name = "/tmp/log";
    handle.access = 2;
    handle.position = 77;
    process.handles.items = {handle};
    process.handles.coverage = Coverage::complete;

    Exception exception;
    exception.threadId = 43;
    exception.code = 11;
    exception.signalCode = 1;
    exception.faultAddress = 0x10;
    exception.address = process.threads[1].context->registers.pc();
    std::vector<std::byte> info(128);
    info[0] = std::byte{11};
    info[8] = std::byte{1};
    info[16] = std::byte{0x10};
    exception.rawSignalInfo = SharedBytes::own(std::move(info));
    process.exception = exception;

    std::vector<std::byte> bytes;
    const auto pages = [&](std::size_t count, int seed) {
        const SharedBytes page = filled(count * pageBytes, seed);
        bytes.insert(bytes.end(), page.span().begin(), page.span().end());
    };
    pages(1, 1);                             // code
    pages(1, 2);                             // heap, page 0
    bytes.resize(bytes.size() + pageBytes);  // heap, page 1: zeros that are stored
    pages(1, 3);                             // heap, page 3
    pages(2, 4);                             // stack
    SegmentSpaceBuilder builder(memorySource(std::move(bytes), "memory"));
    builder.addStored(Range::ofSize(codeAt, pageBytes), 0);
    builder.addAbsent(Range::ofSize(codeAt + pageBytes, pageBytes), Absence::not_captured);
    builder.addStored(Range::ofSize(heapAt, 2 * pageBytes), pageBytes);
    builder.addZero(Range::ofSize(heapAt + 2 * pageBytes, pageBytes));
    builder.addStored(Range::ofSize(heapAt + 3 * pageBytes, pageBytes), 3 * pageBytes);
    builder.addAbsent(Range::ofSize(mapAt, 1024 * pageBytes), Absence::not_captured);
    builder.addStored(Range::ofSize(stackAt, 2 * pageBytes), 4 * pageBytes);
    process.memory = builder.build();

    snapshot.provenance.time = TimePoint(std::chrono::nanoseconds(1'700'000'000'000'000'000));
    snapshot.provenance.consistency = Consistency::mixed;
    snapshot.attachments = {{"linux/status", filled(100, 9)}, {"linux/empty", {}}};
    return snapshot;
}

/// Everything there is.
inline SavePlan samplePlan(const Snapshot& snapshot) {
    SavePlan plan;
    plan.type.flags = static_cast<std::uint32_t>(DumpFlag::with_full_memory);
    plan.handles = true;
    plan.threadInfo = true;
    for (const Region& item : snapshot.process->regions)
        plan.memory.push_back({item.range, SaveReason::all});
    return plan;
}

}  // namespace icecore::elfcore::testing
