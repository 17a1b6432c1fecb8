// The analysis and its views over a process made of the input: any instruction, any registers, any
// signal, any memory.
//
// Byte 0: architecture (bits 0-1) and flags: bit 2 no regions listed, bit 3 a fault address is
// told, bit 4 siginfo is there, bit 5 a sender is told. Byte 1: signal. Byte 2: si_code, signed.
// Then 18 registers of 8 bytes, then the code at the program counter; all of the input is data as
// well.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "analysis/analysis.h"
#include "bytes/endian.h"
#include "memory/segment_space.h"
#include "views/analysis_html.h"
#include "views/analysis_json.h"
#include "views/analysis_text.h"

using namespace icecore;

namespace {

constexpr std::uint64_t codeAt = 0x400000;
constexpr std::uint64_t dataAt = 0x600000;
constexpr std::uint64_t page = 0x1000;

Region region(std::uint64_t at, Protection protection) {
    Region one;
    one.range = Range::ofSize(at, page);
    one.protection = protection;
    one.kind = RegionKind::anonymous;
    return one;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t head = 3;
    constexpr std::size_t registerCount = 18;
    constexpr std::size_t codeOffset = head + registerCount * 8;
    if (size <= codeOffset || size > page) return 0;
    const auto* raw = reinterpret_cast<const std::byte*>(data);
    constexpr Arch architectures[] = {Arch::x86_64, Arch::arm64, Arch::x86, Arch::arm};

    Process process;
    process.system.os = Os::linux_os;
    process.system.arch = architectures[data[0] & 3];
    process.pid = 100;
    process.name = "fuzz";
    Context context;
    context.registers = Registers(process.system.arch);
    const ArchInfo& info = archInfo(process.system.arch);
    for (std::size_t i = 0; i < registerCount && i < info.registers.size(); ++i) {
        context.registers.set(static_cast<RegisterId>(i),
                              loadInteger<std::uint64_t>(raw + head + i * 8));
    }
    const std::uint64_t told = context.registers.valueOr0(0);
    context.registers.set(info.pc, codeAt + codeOffset);

    SegmentSpaceBuilder builder(memorySource({raw, raw + size}, "input"));
    builder.addStored(Range::ofSize(codeAt, size), 0);
    builder.addStored(Range::ofSize(dataAt, size), 0);
    process.memory = builder.build();
    if ((data[0] & 4) == 0) {
        process.regions.items = {region(codeAt, {.read = true, .execute = true}),
                                 region(dataAt - page, {}),
                                 region(dataAt, {.read = true, .write = true})};
        process.regions.coverage = Coverage::complete;
    }
    Module module;
    module.range = Range::ofSize(codeAt, page);
    module.path = "/nowhere/fuzz";
    process.modules.items.push_back(module);
    Thread thread;
    thread.id = 100;
    thread.context = context;
    thread.stack = Range::ofSize(dataAt, page);
    process.threads.items.push_back(thread);

    Exception exception;
    exception.threadId = 100;
    exception.code = data[1];
    exception.signalCode = static_cast<std::int32_t>(data[2]) - 128;
    exception.address = context.registers.pc();
    if ((data[0] & 8) != 0) exception.faultAddress = told;
    if ((data[0] & 16) != 0) exception.rawSignalInfo = SharedBytes::own(std::string(128, 'i'));
    if ((data[0] & 32) != 0) exception.sender = 101;
    process.exception = exception;
    Snapshot snapshot;
    snapshot.process = std::move(process);

    SymbolOptions options;
    options.useDefaultPaths = false;
    const Symbolizer symbolizer(*snapshot.process, options);
    const Unwinder unwinder(*snapshot.process, symbolizer);
    SilentProgress progress;
    const Analysis analysis = analyze(snapshot, unwinder, symbolizer, progress);
    // Whatever it is, it has a verdict in words and a bucket, and every view can print it.
    if (analysis.verdict.summary.empty() || analysis.verdict.bucket.empty()) std::abort();
    if (analysisText(snapshot, analysis, {}).empty()) std::abort();
    if (analysisHtml(snapshot, analysis).empty()) std::abort();
    if (analysisJson(snapshot, analysis).empty()) std::abort();
    return 0;
}
