#include "formats/vmware/vmware.h"

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "formats/image/image.h"
#include "formats/vmware/checkpoint.h"
#include "memory/segment_space.h"

namespace icecore {

namespace {

using namespace image;
using namespace vmware;

constexpr std::array<std::string_view, 2> checkpointExtensions = {".vmss", ".vmsn"};
constexpr std::string_view memoryExtension = ".vmem";

bool hasExtension(const Source& source, std::string_view extension) {
    return toLower(std::filesystem::path(source.name()).extension().string()) == extension;
}

/// The file of the same name with another extension; null where there is none.
std::shared_ptr<const Source> beside(const Source& source, std::string_view extension) {
    std::filesystem::path path(source.name());
    path.replace_extension(extension);
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) return nullptr;
    auto file = openSource(path);
    return file ? *std::move(file) : nullptr;
}

std::shared_ptr<const Source> checkpointBeside(const Source& memory) {
    for (const std::string_view extension : checkpointExtensions) {
        auto file = beside(memory, extension);
        if (file && isCheckpoint(*file)) return file;
    }
    return nullptr;
}

bool probe(const Source& source) {
    return isCheckpoint(source) ||
           (hasExtension(source, memoryExtension) && checkpointBeside(source) != nullptr);
}

void takeCpus(const Checkpoint& checkpoint, Machine& machine) {
    for (const vmware::Cpu& from : checkpoint.cpus) {
        Machine::Cpu cpu;
        cpu.number = static_cast<std::uint32_t>(machine.cpus.size());
        cpu.context.registers = Registers(Arch::x86_64);
        const auto& known = archInfo(Arch::x86_64).registers;
        for (std::size_t id = 0; id < known.size(); ++id) {
            const auto value = from.registers.find(std::string(known[id].name));
            if (value != from.registers.end())
                cpu.context.registers.set(static_cast<RegisterId>(id), value->second);
        }
        cpu.translationRoot = from.control[3];
        machine.cpus.items.push_back(std::move(cpu));
    }
    if (checkpoint.cpus.empty()) return;
    machine.cpus.coverage = Coverage::complete;
    machine.system.arch = Arch::x86_64;
    machine.system.cpuCount = static_cast<std::uint32_t>(machine.cpus.size());
}

/// Where the memory's bytes are: in the checkpoint, or in a file of their own.
struct Bytes {
    std::shared_ptr<const Source> file;
    Range range;
};

Result<Bytes> findBytes(const std::shared_ptr<const Source>& source,
                        const std::shared_ptr<const Source>& state, const Checkpoint& checkpoint) {
    if (checkpoint.memory) return Bytes{state, *checkpoint.memory};
    auto file = source != state ? source : beside(*state, memoryExtension);
    if (file) {
        const std::uint64_t size = file->size();
        return Bytes{std::move(file), Range::ofSize(0, size)};
    }
    if (checkpoint.compressedMemory)
        return fail(Errc::unsupported,
                    "the memory in it is compressed in VMware's own way: suspend the machine "
                    "without mainMem.useNamedFile=\"FALSE\", or write a core with vmss2core",
                    state->name());
    return fail(Errc::not_found,
                "holds no memory, and there is no file of the same name ending in .vmem beside it",
                state->name());
}

Result<Snapshot> open(std::shared_ptr<const Source> source) {
    Snapshot snapshot = startSnapshot(*source, "vmware");
    auto state = isCheckpoint(*source) ? source : checkpointBeside(*source);
    if (!state) return fail(Errc::malformed, "no checkpoint of VMware", source->name());
    ASSIGN_OR_RETURN(const Checkpoint checkpoint, readCheckpoint(*state, snapshot.issues));
    ASSIGN_OR_RETURN(const Bytes bytes, findBytes(source, state, checkpoint));
    std::vector<vmware::Region> regions = checkpoint.regions;
    if (regions.empty()) regions.push_back({Range::ofSize(0, bytes.range.size()), 0});
    SegmentSpaceBuilder memory(bytes.file);
    std::size_t outside = 0;
    std::size_t cut = 0;
    for (const vmware::Region& region : regions) {
        if (region.physical.end() > physicalEnd) {
            ++outside;
            continue;
        }
        const std::uint64_t left = bytes.range.size() - std::min(region.offset, bytes.range.size());
        const std::uint64_t stored = std::min(region.physical.size(), left);
        memory.addSparse(Range::ofSize(region.physical.begin(), stored),
                         bytes.range.begin() + std::min(region.offset, bytes.range.size()));
        memory.addAbsent(Range::between(region.physical.begin() + stored, region.physical.end()),
                         Absence::truncated);
        if (stored < region.physical.size() ||
            bytes.range.begin() + region.offset + stored > bytes.file->size())
            ++cut;
    }
    if (outside > 0)
        snapshot.issues.loss(std::to_string(outside) +
                             " regions lie beyond what physical addresses reach");
    if (cut > 0) snapshot.issues.loss("the memory's bytes end before it does", bytes.file->name());
    std::size_t overlaps = 0;
    snapshot.machine->physical = memory.build(&overlaps);
    if (overlaps > 0) snapshot.issues.note("regions overlap; the first one counts");
    takeCpus(checkpoint, *snapshot.machine);
    snapshot.provenance.tool = "VMware";
    snapshot.provenance.consistency = Consistency::frozen;
    return snapshot;
}

constexpr std::array<std::string_view, 1> extensions = {".vmsn"};

}  // namespace

Format vmwareFormat() {
    Format format{};
    format.name = "vmware";
    format.description = "memory of a VMware machine";
    format.extension = ".vmss";
    format.moreExtensions = extensions;
    format.probe = probe;
    format.open = open;
    return format;
}

}  // namespace icecore
