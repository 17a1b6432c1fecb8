// What stopped the machine, and who was running on its processors.
#include <fmt/format.h>

#include <algorithm>

#include "arch/windows_context.h"
#include "base/text.h"
#include "formats/winkernel/reading.h"

namespace icecore::winkernel {

namespace {

using Bytes = std::vector<std::byte>;

std::uint64_t pointerIn(const Bytes& object, std::size_t offset, std::uint8_t size) {
    if (offset == 0 || offset + size > object.size()) return 0;
    return size == 8 ? loadInteger<std::uint64_t>(object.data() + offset)
                     : loadInteger<std::uint32_t>(object.data() + offset);
}

/// EPROCESS::ImageFileName. No public structure tells where it is; its form does: at a multiple of
/// 8 a name of a program, at most 14 characters, and zeros up to 15.
std::string imageName(const Bytes& process) {
    constexpr std::size_t room = 15, shortest = 3;
    constexpr auto known = std::to_array<std::string_view>(
        {"System", "Registry", "MemCompression", "Secure System", "vmmem"});
    for (std::size_t at = 0; at + room <= process.size(); at += 8) {
        const std::string_view field(reinterpret_cast<const char*>(process.data() + at), room);
        const std::string_view name = field.substr(0, field.find('\0'));
        const bool rest = field.find_first_not_of('\0', name.size()) == std::string_view::npos;
        const bool printable =
            std::ranges::all_of(name, [](char c) { return c >= 0x20 && c < 0x7f; });
        if (name.size() < shortest || !rest || !printable) continue;
        const auto dot = name.rfind('.');
        // Longer names are cut: "SearchIndexer.".
        const bool program = dot != std::string_view::npos && dot > 0 &&
                             std::string_view(".exe").starts_with(name.substr(dot));
        if (program || std::ranges::find(known, name) != known.end()) return std::string(name);
    }
    return {};
}

class CrashReader {
public:
    explicit CrashReader(KernelReading& reading) : reading_(reading) {}

    void run() {
        auto context = readWindowsContext(
            ByteView(reading_.header.context, reading_.source->name(), reading_.header.contextAt),
            reading_.process.system.arch);
        if (!context) reading_.snapshot.issues.loss(context.error());
        processors(context ? std::optional(*context) : std::nullopt);
        exception();
        who();
    }

private:
    [[nodiscard]] Bytes object(std::uint32_t fileOffset, std::uint64_t address,
                               std::uint32_t sizeField) const {
        const std::uint16_t size = reading_.debuggerOffset(sizeField);
        if (size == 0) return {};
        if (reading_.triage) {
            if (fileOffset == 0) return {};
            const auto bytes = reading_.source->load(fileOffset, size);
            return bytes ? Bytes(bytes->span().begin(), bytes->span().end()) : Bytes();
        }
        return address == 0 ? Bytes() : reading_.process.memory->readUpTo(address, size);
    }

    [[nodiscard]] std::uint32_t numberOf(const Bytes& prcb) const {
        const std::uint16_t at = reading_.debuggerOffset(debugger_data::prcbNumber);
        // KPRCB::Number: a byte of 32-bit kernels.
        const std::size_t size = reading_.header.is64 ? 4 : 1;
        if (at == 0 || at + size > prcb.size()) return 0;
        return size == 4 ? loadInteger<std::uint32_t>(prcb.data() + at)
                         : std::to_integer<std::uint32_t>(prcb[at]);
    }

    void processors(const std::optional<Context>& stopped) {
        constexpr std::uint32_t mostProcessors = 2048;
        const std::uint64_t block = reading_.debuggerPointer(debugger_data::processorBlock);
        const std::uint32_t count = std::min(reading_.header.processors, mostProcessors);
        if (reading_.triage) {
            prcb_ = object(reading_.triage->prcbOffset, 0, debugger_data::prcbSize);
            crashed_ = numberOf(prcb_);
            if (crashed_ >= count) crashed_ = 0;
        } else if (block != 0) {
            for (std::uint32_t i = 0; i < count; ++i) {
                const auto at = reading_.pointerAt(block + std::uint64_t{i} * size());
                if (!at || *at == 0) break;
                Bytes prcb = object(0, *at, debugger_data::prcbSize);
                auto context = contextIn(prcb);
                const bool same = context && stopped &&
                                  context->registers.pc() == stopped->registers.pc() &&
                                  context->registers.sp() == stopped->registers.sp();
                if (same) {
                    crashed_ = i;
                    prcb_ = std::move(prcb);
                    continue;
                }
                if (context) add(i, *std::move(context), prcb);
            }
        }
        if (stopped) {
            add(crashed_, *stopped, prcb_);
        } else {
            Thread thread;
            thread.id = crashed_;
            reading_.process.threads.items.push_back(std::move(thread));
        }
        std::ranges::stable_sort(reading_.process.threads.items, {}, &Thread::id);
        std::ranges::stable_sort(reading_.machine.cpus.items, {}, &Machine::Cpu::number);
        const bool all = reading_.machine.cpus.size() == reading_.header.processors;
        reading_.machine.cpus.coverage = all ? Coverage::complete : Coverage::partial;
        reading_.process.threads.coverage = Coverage::partial;
    }

    [[nodiscard]] std::uint8_t size() const { return reading_.pointerSize(); }

    /// The registers that the processor saved when it was stopped.
    [[nodiscard]] std::optional<Context> contextIn(const Bytes& prcb) const {
        const std::uint16_t at = reading_.debuggerOffset(debugger_data::prcbContext);
        if (at == 0 || at >= prcb.size()) return std::nullopt;
        auto context =
            readWindowsContext(ByteView(std::span(prcb).subspan(at)), reading_.process.system.arch);
        if (!context || context->registers.pc() == 0) return std::nullopt;
        return *std::move(context);
    }

    void add(std::uint32_t number, Context context, const Bytes& prcb) {
        Thread thread;
        thread.id = number;
        thread.name = fmt::format("processor {}", number);
        const std::uint64_t sp = context.registers.sp();
        const Bytes running = object(
            reading_.triage ? reading_.triage->threadOffset : 0,
            pointerIn(prcb, reading_.debuggerOffset(debugger_data::prcbCurrentThread), size()),
            debugger_data::threadSize);
        const std::uint64_t base =
            pointerIn(running, reading_.debuggerOffset(debugger_data::threadInitialStack), size());
        if (reading_.triage) {
            const Range stack =
                Range::ofSize(reading_.triage->topOfStack, reading_.triage->callStackSize);
            if (stack.contains(sp)) thread.stack = Range::between(sp, stack.end());
        } else if (sp < base) {
            thread.stack = Range::between(sp, base);
        }
        thread.context = context;
        if (!reading_.triage)
            reading_.machine.cpus.items.push_back(
                {number, std::move(context), reading_.header.directoryTable});
        reading_.process.threads.items.push_back(std::move(thread));
    }

    void exception() {
        Exception exception;
        exception.threadId = crashed_;
        exception.code = reading_.header.bugCheck;
        for (const std::uint64_t parameter : reading_.header.parameters)
            exception.parameters.push_back(parameter);
        const Thread* thread = reading_.process.thread(crashed_);
        if (thread != nullptr && thread->context) {
            exception.address = thread->context->registers.pc();
            if (auto before = findCrashContext(reading_, thread->context->registers)) {
                exception.address = before->registers.pc();
                exception.context = *std::move(before);
            }
        }
        reading_.process.exception = std::move(exception);
    }

    /// The thread and the process that ran on the processor which stopped.
    void who() {
        const std::uint64_t thread =
            pointerIn(prcb_, reading_.debuggerOffset(debugger_data::prcbCurrentThread), size());
        if (thread == 0) return;
        auto& hints = reading_.machine.hints;
        hints["current thread"] = hex(thread);
        const Bytes threadObject = object(reading_.triage ? reading_.triage->threadOffset : 0,
                                          thread, debugger_data::threadSize);
        const std::uint64_t process =
            pointerIn(threadObject, reading_.debuggerOffset(debugger_data::threadProcess), size());
        if (process == 0) return;
        const Bytes processObject = object(reading_.triage ? reading_.triage->processOffset : 0,
                                           process, debugger_data::processSize);
        const std::string name = imageName(processObject);
        hints["current process"] = name.empty() ? hex(process) : hex(process) + " " + name;
    }

    KernelReading& reading_;
    std::uint32_t crashed_ = 0;
    Bytes prcb_;  ///< of the processor that stopped
};

}  // namespace

void readCrash(KernelReading& reading) {
    CrashReader(reading).run();
}

}  // namespace icecore::winkernel
