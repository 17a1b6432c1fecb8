#include "formats/winkernel/kernel_dump.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "formats/winkernel/reading.h"
#include "formats/winkernel/writer.h"

namespace icecore {

namespace winkernel {

namespace {

constexpr std::uint16_t machineX86 = 0x14c, machineX64 = 0x8664, machineArm64 = 0xaa64;

std::string_view kindText(std::uint32_t kind) {
    switch (kind) {
    case kindFull: return "full";
    case kindSummary: return "kernel";
    case kindTriage: return "small (triage)";
    case kindBitmapFull: return "full (bitmap)";
    case kindBitmapKernel: return "kernel (bitmap)";
    case kindKernel: return "kernel (ranges)";
    case kindKernelAndUser: return "kernel and user (ranges)";
    case kindComplete: return "complete (ranges)";
    default: return "unknown";
    }
}

Arch archOf(std::uint32_t machine) {
    switch (machine) {
    case machineX86: return Arch::x86;
    case machineX64: return Arch::x86_64;
    case machineArm64: return Arch::arm64;
    default: return Arch::unknown;
    }
}

void readSystem(KernelReading& reading) {
    const DumpHeader& header = reading.header;
    SystemInfo& system = reading.process.system;
    system.os = Os::windows;
    system.arch = archOf(header.machine);
    if (system.arch == Arch::unknown)
        reading.loss(fmt::format("machine {:#x} is not supported", header.machine),
                     header.machineAt);
    // The version field says 15 (free) or 12 (checked build); the number that tells is the build.
    constexpr std::uint32_t checkedBuild = 12, firstOf10 = 10240, firstOf6 = 6000;
    system.build = header.build;
    system.major = system.build >= firstOf10 ? 10 : system.build >= firstOf6 ? 6 : 5;
    system.version = fmt::format("build {}{}", system.build,
                                 header.majorVersion == checkedBuild ? " (checked)" : "");
    system.cpuCount = header.processors;
    reading.machine.system = system;
    reading.process.name = "Windows kernel";

    Provenance& provenance = reading.snapshot.provenance;
    provenance.path = reading.source->name();
    provenance.format = "windows-kernel";
    provenance.bytes = reading.source->size();
    provenance.type = kindText(header.type);
    // FILETIME: 100 ns since 1601.
    constexpr std::uint64_t epoch = 116'444'736'000'000'000;
    const std::uint64_t time = header.systemTime;
    if (time > epoch && time - epoch < 1ULL << 56U) {
        provenance.time =
            TimePoint(std::chrono::nanoseconds(static_cast<std::int64_t>(time - epoch) * 100));
    }
    if (header.is64 && header.type != kindTriage) {
        if (auto bytes = reading.source->load(0, header.size))
            reading.snapshot.attachments.push_back(
                {std::string(headerAttachment), *std::move(bytes)});
    }
    if (!header.comment.empty())
        reading.snapshot.attachments.push_back({"comment", SharedBytes::own(header.comment)});
}

bool probe(const Source& source) {
    const auto start = source.load(0, 8);
    if (!start || loadInteger<std::uint32_t>(start->span().data()) != signaturePage) return false;
    const auto valid = loadInteger<std::uint32_t>(start->span().data() + 4);
    return valid == valid64 || valid == valid32;
}

Result<Snapshot> open(std::shared_ptr<const Source> source) {
    ASSIGN_OR_RETURN(DumpHeader header, readHeader(*source));
    Snapshot snapshot;
    snapshot.process.emplace();
    snapshot.machine.emplace();
    KernelReading reading(std::move(source), std::move(header), snapshot);
    readSystem(reading);
    TRY(readMemory(reading));
    if (const DumpHeader& known = reading.header; !reading.triage && known.loadedModules == 0 &&
                                                  known.debuggerData == 0 && known.bugCheck == 0) {
        snapshot.issues.note("the header knows nothing of the kernel: made of another image?");
        snapshot.process.reset();
        SystemInfo unknown;
        unknown.arch = snapshot.machine->system.arch;
        unknown.cpuCount = snapshot.machine->system.cpuCount;
        snapshot.machine->system = unknown;
        return snapshot;
    }
    readDebuggerData(reading);
    readCrash(reading);
    if (reading.triage)
        readTriageDrivers(reading);
    else
        readLoadedModules(reading);
    std::ranges::stable_sort(snapshot.process->modules.items, {},
                             [](const Module& module) { return module.range; });
    return snapshot;
}

}  // namespace

}  // namespace winkernel

Format windowsKernelDumpFormat() {
    Format format{};
    format.name = "windows-kernel";
    format.description = "Windows kernel dump";
    format.extension = ".dmp";
    format.probe = winkernel::probe;
    format.open = winkernel::open;
    format.describe = winkernel::describe;
    format.build = winkernel::build;
    format.writeImage = winkernel::writeFull;
    return format;
}

Format windowsBitmapDumpFormat() {
    Format format{};
    format.name = "windows-kernel-bitmap";
    format.description = "Windows kernel dump, bitmap form";
    format.writeImage = winkernel::writeBitmap;
    return format;
}

}  // namespace icecore
