#include "model/wow64.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "arch/windows_context.h"
#include "base/text.h"

namespace icecore {

namespace {

// _TEB of 64 bits: NT_TIB's ExceptionList and Self, TlsSlots[1], WowTebOffset.
constexpr std::uint64_t exceptionListAt = 0, cpuAreaAt = 0x1480 + 8, wowTebOffsetAt = 0x180c;
// _TEB of 32 bits: NT_TIB's StackBase and Self, ProcessEnvironmentBlock.
constexpr std::uint64_t stackBase32At = 4, self32At = 0x18, peb32At = 0x30;
constexpr std::uint16_t machineX86 = 0x14c;

/// The libraries between the two sides, on AMD64 and on ARM64.
constexpr std::array<std::string_view, 3> layer = {"wow64*.dll", "xtajit.dll", "xtajit64.dll"};

bool belongsToLayer(const Module& module) {
    return std::ranges::any_of(
        layer, [&](std::string_view name) { return matchesWildcard(module.fileName(), name); });
}

bool runs32BitCode(const Registers& registers) {
    constexpr std::uint64_t code32 = 0x23;
    return registers.arch() == Arch::x86_64 && registers.get(x64::cs) == code32;
}

/// The x86 registers in those of AMD64 that runs 32-bit code.
Context narrowed(const Context& wide) {
    constexpr std::array<std::pair<RegisterId, RegisterId>, 22> pairs = {
        {{x64::rax, x86::eax}, {x64::rbx, x86::ebx},       {x64::rcx, x86::ecx},
         {x64::rdx, x86::edx}, {x64::rsi, x86::esi},       {x64::rdi, x86::edi},
         {x64::rbp, x86::ebp}, {x64::rsp, x86::esp},       {x64::rip, x86::eip},
         {x64::cs, x86::cs},   {x64::eflags, x86::eflags}, {x64::ss, x86::ss},
         {x64::ds, x86::ds},   {x64::es, x86::es},         {x64::fs, x86::fs},
         {x64::gs, x86::gs},   {x64::dr0, x86::dr0},       {x64::dr1, x86::dr1},
         {x64::dr2, x86::dr2}, {x64::dr3, x86::dr3},       {x64::dr6, x86::dr6},
         {x64::dr7, x86::dr7}}};
    Context narrow{Registers(Arch::x86), wide.floatingPoint, wide.extended};
    for (const auto& [from, to] : pairs) {
        if (const auto value = wide.registers.get(from))
            narrow.registers.set(to, *value & UINT32_MAX);
    }
    return narrow;
}

/// Finds the 32-bit side of one thread after the other.
class NarrowSide {
public:
    NarrowSide(const Process& process, Issues* issues) : process_(process), issues_(issues) {}

    ProcessSide::ThreadSide of(const Thread& thread) const {
        ProcessSide::ThreadSide side;
        if (thread.tls) side.tls = teb32(thread, *thread.tls);
        if (thread.context && runs32BitCode(thread.context->registers))
            side.context = narrowed(*thread.context);
        else if (thread.tls)
            side.context = cpuArea(thread, *thread.tls);
        if (!side.context || !side.tls) return side;
        const std::uint64_t sp = side.context->registers.sp();
        const auto base = memory().readInteger<std::uint32_t>(*side.tls + stackBase32At);
        if (base && sp < *base) side.stack = Range::between(sp, *base);
        return side;
    }

    [[nodiscard]] std::optional<std::uint64_t> peb(const ProcessSide::ThreadSide& side) const {
        if (!side.tls) return std::nullopt;
        const auto peb = memory().readInteger<std::uint32_t>(*side.tls + peb32At);
        return peb && *peb != 0 ? std::optional<std::uint64_t>(*peb) : std::nullopt;
    }

private:
    [[nodiscard]] const AddressSpace& memory() const { return *process_.memory; }

    void tell(const Thread& thread, std::string_view what, std::uint64_t address) const {
        if (issues_ != nullptr)
            issues_->loss(fmt::format("thread {:x}: {}", thread.id, what), hex(address));
    }
    /// What the dump lacks at `address`. Damage it is not: small dumps are without.
    void tellMissing(const Thread& thread, std::string_view what, std::uint64_t address) const {
        if (issues_ == nullptr) return;
        issues_->note(
            fmt::format("thread {:x}: {}: {}", thread.id, what, memory().explain(address)),
            hex(address));
    }

    [[nodiscard]] std::optional<std::uint64_t> teb32(const Thread& thread,
                                                     std::uint64_t teb64) const {
        const auto offset = memory().readInteger<std::int32_t>(teb64 + wowTebOffsetAt);
        if (offset && *offset != 0) {
            const std::uint64_t teb = teb64 + static_cast<std::uint64_t>(std::int64_t{*offset});
            const auto self = memory().readInteger<std::uint32_t>(teb + self32At);
            // Not in the dump: then where it is can still be told.
            if (teb <= UINT32_MAX && (!self || *self == teb)) return teb;
        }
        const auto list = memory().readInteger<std::uint64_t>(teb64 + exceptionListAt);
        if (list && *list != 0 && *list <= UINT32_MAX &&
            memory().readInteger<std::uint32_t>(*list + self32At) == *list)
            return list;
        if (offset) tell(thread, "its 64-bit TEB leads to no 32-bit one", teb64);
        return std::nullopt;
    }

    [[nodiscard]] std::optional<Context> cpuArea(const Thread& thread, std::uint64_t teb64) const {
        const auto area = memory().readInteger<std::uint64_t>(teb64 + cpuAreaAt);
        if (!area) {
            tellMissing(thread, "its 64-bit TEB, which leads to its 32-bit registers, is not there",
                        teb64 + cpuAreaAt);
            return std::nullopt;
        }
        // Its 32-bit life has not begun yet, or it never has one.
        if (*area == 0) return std::nullopt;
        constexpr std::size_t headSize = 4, contextSize = 0x2cc;
        std::array<std::byte, headSize + contextSize> raw{};
        const std::size_t got = memory().read(*area, raw).bytes;
        if (got < raw.size()) {
            tellMissing(thread,
                        fmt::format("of its CPU area, with its 32-bit registers, {} of {} bytes "
                                    "are there",
                                    got, raw.size()),
                        *area + got);
            return std::nullopt;
        }
        const auto machine = loadInteger<std::uint16_t>(raw.data() + 2);
        if (machine != machineX86 && machine != 0) {
            tell(thread, fmt::format("its CPU area is of machine {:#x}, not x86", machine), *area);
            return std::nullopt;
        }
        auto context =
            readWindowsContext(ByteView(std::span(raw).subspan(headSize), "CPU area"), Arch::x86);
        if (!context || context->registers.arch() != Arch::x86 ||
            !context->registers.has(x86::eip) || !context->registers.has(x86::esp)) {
            tell(thread, "its CPU area holds no CONTEXT of x86", *area);
            return std::nullopt;
        }
        return *std::move(context);
    }

    const Process& process_;
    Issues* issues_;
};

}  // namespace

bool isWow64(const Process& process) {
    return process.system.os == Os::windows && archInfo(process.system.arch).pointerSize == 8 &&
           std::ranges::any_of(process.modules, [](const Module& module) {
               return matchesWildcard(module.fileName(), "wow64.dll") ||
                      matchesWildcard(module.fileName(), "wow64cpu.dll");
           });
}

std::optional<ProcessSide> wow64Side(const Process& process, Issues* issues) {
    if (!isWow64(process)) return std::nullopt;
    const NarrowSide finder(process, issues);
    ProcessSide side;
    side.arch = Arch::x86;
    side.threads.reserve(process.threads.size());
    for (const Thread& thread : process.threads) {
        side.threads.push_back(finder.of(thread));
        if (!side.peb) side.peb = finder.peb(side.threads.back());
    }
    const auto& exception = process.exception;
    if (exception && exception->context && runs32BitCode(exception->context->registers))
        side.exceptionContext = narrowed(*exception->context);
    return side;
}

void exchangeSides(Process& process, ProcessSide& other) {
    std::swap(process.system.arch, other.arch);
    std::swap(process.peb, other.peb);
    const std::size_t count = std::min(process.threads.size(), other.threads.size());
    for (std::size_t i = 0; i < count; ++i) {
        std::swap(process.threads[i].context, other.threads[i].context);
        std::swap(process.threads[i].stack, other.threads[i].stack);
        std::swap(process.threads[i].tls, other.threads[i].tls);
    }
    if (process.exception) std::swap(process.exception->context, other.exceptionContext);
}

bool eventIs32Bit(const Process& process, const ProcessSide& narrow) {
    if (!process.exception) return false;
    const auto thread =
        std::ranges::find(process.threads.items, process.exception->threadId, &Thread::id);
    if (thread == process.threads.end()) return narrow.exceptionContext.has_value();
    const auto& wide = process.exception->context ? process.exception->context : thread->context;
    if (wide && runs32BitCode(wide->registers)) return true;
    const auto index = static_cast<std::size_t>(thread - process.threads.begin());
    if (index >= narrow.threads.size() || !narrow.threads[index].context) return false;
    const Module* module = wide ? process.moduleAt(wide->registers.pc()) : nullptr;
    return !wide || (module != nullptr && belongsToLayer(*module));
}

bool goToTelling32BitSide(Process& process) {
    auto narrow = wow64Side(process);
    if (!narrow) return false;
    const bool known = std::ranges::any_of(
        narrow->threads, [](const auto& thread) { return thread.context.has_value(); });
    if (process.exception ? !eventIs32Bit(process, *narrow) : !known) return false;
    exchangeSides(process, *narrow);
    return true;
}

}  // namespace icecore
