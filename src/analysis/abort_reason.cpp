#include "analysis/abort_reason.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace icecore {

namespace {

struct Words {
    std::string_view pattern;  ///< of a function, or of a message
    std::string_view kind, happening;
};

// What the message says. glibc: debug/, malloc/malloc.c, assert/assert.c.
constexpr auto byMessage = std::to_array<Words>({
    {"*stack smashing detected*", "STACK_SMASHED", "found its stack overwritten"},
    {"*buffer overflow detected*", "BUFFER_OVERFLOW", "was stopped before overflowing a buffer"},
    {"*Assertion `*failed*", "ASSERT", "failed an assertion"},
    {"*double free*", "DOUBLE_FREE", "freed memory twice"},
    {"*free(): *", "HEAP_CORRUPTION", "found the heap damaged"},
    {"*malloc(): *", "HEAP_CORRUPTION", "found the heap damaged"},
    {"*malloc_consolidate(): *", "HEAP_CORRUPTION", "found the heap damaged"},
    {"*realloc(): *", "HEAP_CORRUPTION", "found the heap damaged"},
    {"*munmap_chunk(): *", "HEAP_CORRUPTION", "found the heap damaged"},
    {"*corrupted *", "HEAP_CORRUPTION", "found the heap damaged"},
    {"*chunk*main_arena*", "HEAP_CORRUPTION", "found the heap damaged"},
});

// Which functions stand in the stack. The first match from the innermost frame on counts.
constexpr auto byFunction = std::to_array<Words>({
    {"__stack_chk_fail*", "STACK_SMASHED", "found its stack overwritten"},
    {"__fortify_fail*", "BUFFER_OVERFLOW", "was stopped before overflowing a buffer"},
    {"__chk_fail", "BUFFER_OVERFLOW", "was stopped before overflowing a buffer"},
    {"__assert_fail*", "ASSERT", "failed an assertion"},
    {"__assert_perror_fail", "ASSERT", "failed an assertion"},
    {"malloc_printerr*", "HEAP_CORRUPTION", "found the heap damaged"},
    {"__cxa_pure_virtual", "PURE_VIRTUAL_CALL", "called a pure virtual function"},
    {"__cxa_deleted_virtual", "DELETED_VIRTUAL_CALL", "called a deleted virtual function"},
    {"rust_panic*", "RUST_PANIC", "panicked"},
    {"rust_begin_unwind", "RUST_PANIC", "panicked"},
    {"g_assertion_message*", "ASSERT", "failed an assertion"},
    {"QMessageLogger::fatal", "FATAL_MESSAGE", "ended with a fatal message"},
    {"__asan::ReportGenericError*", "ADDRESS_SANITIZER", "was stopped by AddressSanitizer"},
    {"std::terminate", "TERMINATE", "called std::terminate"},
    {"__cxxabiv1::__terminate", "TERMINATE", "called std::terminate"},
    {"__gnu_cxx::__verbose_terminate_handler", "TERMINATE", "called std::terminate"},
    {"__clang_call_terminate", "TERMINATE", "called std::terminate"},
});

const Words* match(std::span<const Words> table, std::string_view text) {
    const auto found = std::ranges::find_if(
        table, [&](const Words& row) { return matchesWildcard(text, row.pattern, false); });
    return found == table.end() ? nullptr : &*found;
}

/// glibc keeps the last fatal message for debuggers: `__abort_msg` points to a block of an unsigned
/// size and the text (glibc, include/assert.h and sysdeps/posix/libc_fatal.c).
std::optional<std::string> abortMessage(const CrashCase& crash, std::string& evidence) {
    const auto symbol = crash.symbolizer.byName("__abort_msg");
    if (!symbol) return std::nullopt;
    const auto block = crash.readPointer(symbol->address);
    if (!block || *block == 0) return std::nullopt;
    constexpr std::uint32_t largest = 1 << 20;
    const auto size = crash.memory->readInteger<std::uint32_t>(*block);
    if (!size || *size == 0 || *size > largest) return std::nullopt;
    auto text = crash.memory->readCString(*block + 4, std::min<std::size_t>(*size, 8192));
    if (!text || text->empty()) return std::nullopt;
    evidence = fmt::format("__abort_msg at {} points to the message at {}", hex(symbol->address),
                           hex(*block + 4));
    while (!text->empty() && (text->back() == '\n' || text->back() == '\r'))
        text->pop_back();
    return text;
}

const NamedFrame* frameOf(const NamedStack& stack, std::string_view pattern) {
    const auto found = std::ranges::find_if(stack.frames, [&](const NamedFrame& frame) {
        return matchesWildcard(frame.function, pattern, false);
    });
    return found == stack.frames.end() ? nullptr : &*found;
}

void explainTermination(const CrashCase& crash, const Thread& thread, const NamedStack& stack,
                        AbortReason& reason) {
    // An exception nobody catches ends in __cxa_throw → terminate; one that leaves a noexcept
    // function ends in the personality routine or __cxa_call_terminate.
    const NamedFrame* throws = frameOf(stack, "__cxa_throw*");
    if (throws == nullptr) throws = frameOf(stack, "__cxa_rethrow*");
    if (throws == nullptr) throws = frameOf(stack, "__cxa_call_terminate");
    if (throws == nullptr) throws = frameOf(stack, "__gxx_personality*");
    if (throws == nullptr) throws = frameOf(stack, "_Unwind_RaiseException*");
    if (throws == nullptr) return;
    reason.kind = "UNCAUGHT_EXCEPTION";
    reason.happening = "threw a C++ exception that nobody catches";
    std::vector<std::string> evidence = {"in the stack: " + frameText(*throws)};
    const auto thrown = findThrownException(crash, thread);
    if (!thrown) {
        reason.findings.push_back(
            {"A C++ exception was thrown and not caught; its type is not to be "
             "found in the dump.",
             std::move(evidence), Confidence::high});
        return;
    }
    reason.kind += "_" + thrown->type;
    reason.happening = fmt::format("threw a {} that nobody catches", thrown->type);
    reason.message = thrown->what;
    evidence.push_back(fmt::format("exception object at {}, type_info at {}", hex(thrown->object),
                                   hex(thrown->typeInfo)));
    std::string claim = fmt::format("An exception of type {} was not caught", thrown->type);
    if (!thrown->what.empty()) claim += fmt::format("; what(): \"{}\"", thrown->what);
    reason.findings.push_back({claim + ".", std::move(evidence),
                               thrown->typeIsSymbol ? Confidence::high : Confidence::medium});
}

}  // namespace

AbortReason findAbortReason(const CrashCase& crash, const Thread& thread, const NamedStack& stack) {
    AbortReason reason;
    reason.kind = "ABORT";
    reason.happening = "called abort";
    std::string evidence;
    const auto message = abortMessage(crash, evidence);
    const Words* words = nullptr;
    std::string foundBy;
    if (message) {
        words = match(byMessage, *message);
        reason.message = *message;
        foundBy = evidence;
    }
    if (words == nullptr) {
        for (const NamedFrame& frame : stack.frames) {
            words = match(byFunction, frame.function);
            if (words == nullptr) continue;
            foundBy = "in the stack: " + frameText(frame);
            break;
        }
    }
    if (words != nullptr) {
        reason.kind = words->kind;
        reason.happening = words->happening;
    }
    if (reason.kind == "TERMINATE") explainTermination(crash, thread, stack, reason);
    if (!reason.findings.empty()) return reason;
    if (message) {
        reason.findings.push_back({fmt::format("The program ended itself with: \"{}\"", *message),
                                   {evidence},
                                   Confidence::certain});
    } else if (words != nullptr) {
        reason.findings.push_back(
            {fmt::format("The program {}.", reason.happening), {foundBy}, Confidence::high});
    }
    return reason;
}

}  // namespace icecore
