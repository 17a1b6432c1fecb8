#include "analysis/skip_rules.h"

#include <array>

#include "base/text.h"

namespace icecore {

namespace {

/// A frame is passed over when both patterns match (`*` and `?` are wildcards; names are without
/// parameters). An empty pattern matches everything.
struct SkipRule {
    std::string_view module;  ///< Module::shortName
    std::string_view function;
    std::string_view reason;
};

constexpr std::string_view ending = "ends the process";
constexpr std::string_view callersArguments = "works with what its caller gave it";
constexpr std::string_view runtime = "language run-time";
constexpr std::string_view checker = "reports somebody else's mistake";

// THE table of blame. docs/analysis.md explains it.
constexpr auto rules = std::to_array<SkipRule>({
    // Whole libraries that only do what they are asked for.
    {"libc", "", callersArguments},
    {"libc-?.*", "", callersArguments},
    {"ld-musl-*", "", callersArguments},
    {"libpthread*", "", callersArguments},
    {"libm", "", callersArguments},
    {"librt", "", callersArguments},
    {"ld-linux*", "", callersArguments},
    {"ld-2.*", "", callersArguments},
    {"vdso", "", "kernel code in user space"},
    {"linux-vdso*", "", "kernel code in user space"},
    {"linux-gate*", "", "kernel code in user space"},
    {"libgcc_s", "", runtime},
    {"libstdc++", "", runtime},
    {"libc++", "", runtime},
    {"libc++abi", "", runtime},
    {"libunwind*", "", runtime},
    {"libasan", "", checker},
    {"libubsan", "", checker},
    {"libtsan", "", checker},
    {"liblsan", "", checker},
    {"libjemalloc", "", callersArguments},
    {"libtcmalloc*", "", callersArguments},
    {"libmimalloc", "", callersArguments},

    // Windows' own: what they do, somebody asked for.
    {"ntdll", "", callersArguments},
    {"kernel32", "", callersArguments},
    {"kernelbase", "", callersArguments},
    {"win32u", "", callersArguments},
    {"user32", "", callersArguments},
    {"gdi32*", "", callersArguments},
    {"ucrtbase*", "", runtime},
    {"msvcrt", "", runtime},
    {"msvcp*", "", runtime},
    {"vcruntime*", "", runtime},
    {"verifier", "", checker},
    {"", "_CxxThrowException", runtime},
    {"", "RaiseException*", ending},
    {"", "RtlRaiseException", ending},
    {"", "RtlFailFast*", ending},
    {"", "__report_gsfailure", checker},
    {"", "__report_securityfailure*", checker},
    {"", "__report_rangecheckfailure", checker},
    {"", "_invalid_parameter*", checker},
    {"", "_invoke_watson", checker},
    {"", "__scrt_*", runtime},
    {"", "_chkstk", runtime},
    {"", "__chkstk", runtime},

    // Ways to end, wherever they are linked.
    {"", "raise", ending},
    {"", "gsignal", ending},
    {"", "kill", ending},
    {"", "tgkill", ending},
    {"", "pthread_kill", ending},
    {"", "__pthread_kill*", ending},
    {"", "__GI_raise", ending},
    {"", "__GI_abort", ending},
    {"", "abort", ending},
    {"", "_exit", ending},
    {"", "__assert_fail*", checker},
    {"", "__GI___assert*", checker},
    {"", "__assert_perror_fail", checker},
    {"", "__assert", checker},
    {"", "__stack_chk_fail*", checker},
    {"", "__fortify_fail*", checker},
    {"", "__chk_fail", checker},
    {"", "__*_chk", checker},
    {"", "__libc_message*", checker},
    {"", "__libc_fatal", checker},
    {"", "malloc_printerr*", checker},

    // Memory and strings, statically linked or inlined.
    {"", "malloc", callersArguments},
    {"", "calloc", callersArguments},
    {"", "realloc*", callersArguments},
    {"", "free", callersArguments},
    {"", "cfree", callersArguments},
    {"", "__libc_*", callersArguments},
    {"", "_int_malloc", callersArguments},
    {"", "_int_free*", callersArguments},
    {"", "_int_realloc", callersArguments},
    {"", "malloc_consolidate", callersArguments},
    {"", "unlink_chunk*", callersArguments},
    {"", "tcache_*", callersArguments},
    {"", "operator new*", callersArguments},
    {"", "operator delete*", callersArguments},
    {"", "__mem*", callersArguments},
    {"", "__str*", callersArguments},
    {"", "__wcs*", callersArguments},
    {"", "__wmem*", callersArguments},
    {"", "__raw*", callersArguments},
    {"", "memcpy*", callersArguments},
    {"", "memmove*", callersArguments},
    {"", "memset*", callersArguments},
    {"", "memcmp*", callersArguments},
    {"", "memchr*", callersArguments},
    {"", "strlen*", callersArguments},
    {"", "strnlen*", callersArguments},
    {"", "strcpy*", callersArguments},
    {"", "strncpy*", callersArguments},
    {"", "strcat*", callersArguments},
    {"", "strcmp*", callersArguments},
    {"", "strncmp*", callersArguments},
    {"", "strchr*", callersArguments},

    // C++.
    {"", "std::*", callersArguments},
    {"", "__gnu_cxx::*", callersArguments},
    {"", "__cxxabiv1::*", runtime},
    {"", "__cxa_*", runtime},
    {"", "__gxx_personality*", runtime},
    {"", "__clang_call_terminate", runtime},
    {"", "_Unwind_*", runtime},

    // Other languages and frameworks that end by themselves.
    {"", "rust_panic*", checker},
    {"", "rust_begin_unwind", checker},
    {"", "__rust_*", runtime},
    {"", "core::panicking::*", checker},
    {"", "core::result::unwrap_failed", checker},
    {"", "core::option::*_failed", checker},
    {"", "std::panicking::*", checker},
    {"", "g_log*", checker},
    {"", "g_assertion_message*", checker},
    {"", "QMessageLogger::fatal", checker},
    {"", "qt_assert*", checker},
    {"", "Py_FatalError*", checker},

    // Tools that watch from inside.
    {"", "__asan_*", checker},
    {"", "__asan::*", checker},
    {"", "__ubsan_*", checker},
    {"", "__sanitizer*", checker},
    {"", "__interceptor_*", checker},

    // Waiting, starting, and coming back from signal handlers.
    {"", "__futex_*", callersArguments},
    {"", "__lll_*", callersArguments},
    {"", "futex_wait*", callersArguments},
    {"", "__gthread_*", callersArguments},
    {"", "pthread_*", callersArguments},
    {"", "__pthread_*", callersArguments},
    {"", "start_thread", "starts threads"},
    {"", "clone*", "starts threads"},
    {"", "__clone*", "starts threads"},
    {"", "_start", "starts the program"},
    {"", "__restore_rt", "returns from a signal handler"},
});

bool matches(std::string_view text, std::string_view pattern) {
    return pattern.empty() || matchesWildcard(text, pattern, false);
}

}  // namespace

std::optional<std::string_view> whyNotResponsible(const NamedFrame& frame) {
    if (frame.signalFrame) return "returns from a signal handler";
    if (frame.module == nullptr && frame.function.empty()) return "is in no module";
    const std::string_view module =
        frame.module != nullptr ? frame.module->shortName() : std::string_view();
    for (const SkipRule& rule : rules) {
        // A rule for functions says nothing about a frame without a name, and one for modules
        // nothing about a frame outside of them.
        if (!rule.function.empty() && frame.function.empty()) continue;
        if (!rule.module.empty() && module.empty()) continue;
        // Windows' file names have no case: KERNELBASE.dll.
        const bool inModule = rule.module.empty() || matchesWildcard(module, rule.module);
        if (inModule && matches(frame.function, rule.function)) return rule.reason;
    }
    return std::nullopt;
}

}  // namespace icecore
