// What only Windows' dumps have: unwind tables of code that the process made itself.
#include <algorithm>

#include "base/text.h"
#include "formats/minidump/reading.h"
#include "model/wow64.h"

namespace icecore::minidump {

void readFunctionTables(Reading& reading, ByteView content) {
    constexpr std::string_view what = "the list of function tables";
    Process& process = reading.process;
    Cursor cursor(content);
    const auto header = cursor.structure<FunctionTableHeader>();
    process.functionTables.coverage = Coverage::partial;
    if (!cursor.ok() || header.headerSize < sizeof(FunctionTableHeader) ||
        header.descriptorSize < sizeof(FunctionTableDescriptor) || header.entrySize == 0) {
        reading.issues.loss(fmt::format("{} has a damaged header", what), content.where());
        return;
    }
    // Each table takes what lies between its descriptor and the next; the sizes come from the file,
    // so every step is checked against what is left.
    std::uint64_t at = std::uint64_t{header.headerSize} + header.padding;
    for (std::uint32_t i = 0; i < header.count; ++i) {
        Cursor each(content.slice(at));
        const auto raw = each.structure<FunctionTableDescriptor>();
        const std::uint64_t entriesAt =
            at + std::uint64_t{header.descriptorSize} + header.nativeSize;
        const std::uint64_t size = std::uint64_t{raw.entryCount} * header.entrySize;
        if (!each.ok() || entriesAt > content.size() || size > content.size() - entriesAt) {
            reading.issues.loss(fmt::format("{}: {} tables promised, {} are in the file", what,
                                            std::uint32_t{header.count}, i),
                                content.where(at));
            return;
        }
        const ByteView entries = content.slice(entriesAt, size);
        if (raw.minimum < raw.maximum) {
            process.functionTables.items.push_back(
                {Range::between(raw.minimum, raw.maximum), raw.base, header.entrySize,
                 SharedBytes::own(
                     std::vector<std::byte>(entries.span().begin(), entries.span().end()))});
        }
        at = entriesAt + size + raw.padding;
    }
    process.functionTables.coverage = Coverage::complete;
}

void noteEmulation(Reading& reading) {
    const Process& process = reading.process;
    const auto has = [&](std::string_view name) {
        return std::ranges::any_of(process.modules, [&](const Module& module) {
            return matchesWildcard(module.fileName(), name);
        });
    };
    if (const auto narrow = wow64Side(process, &reading.issues)) {
        const auto known = std::ranges::count_if(
            narrow->threads, [](const auto& thread) { return thread.context.has_value(); });
        reading.issues.note(fmt::format(
            "a 32-bit process on 64-bit Windows (WOW64), dumped from outside: of {} threads the "
            "32-bit registers are there of {}",
            process.threads.size(), known));
    }
    if (has("xtajit64*.dll") || has("xtajit.dll")) {
        reading.issues.note(
            "code of another processor is emulated in it (ARM64EC or x86 on ARM64): stacks through "
            "the emulator show its own frames");
    }
}

void completeWindows(Reading& reading) {
    // _TEB: StackBase is its second pointer; ProcessEnvironmentBlock is at 0x60, or 0x30 of 32
    // bits.
    Process& process = reading.process;
    const std::uint8_t size = archInfo(process.system.arch).pointerSize;
    if (process.name.empty() && !process.executable.empty()) {
        const std::string_view path = process.executable;
        process.name = path.substr(path.find_last_of("/\\") + 1);
    }
    for (Thread& thread : process.threads) {
        if (!thread.tls) continue;
        if (!process.peb) {
            const auto peb =
                process.memory->readPointer(*thread.tls + (size == 8 ? 0x60 : 0x30), size);
            if (peb && *peb != 0) process.peb = peb;
        }
        if (thread.stack || !thread.context) continue;
        const std::uint64_t sp = thread.context->registers.sp();
        const auto base = process.memory->readPointer(*thread.tls + size, size);
        if (base && sp < *base) thread.stack = Range::between(sp, *base);
    }
}

}  // namespace icecore::minidump
