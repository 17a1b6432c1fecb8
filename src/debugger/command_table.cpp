#include <array>
#include <cctype>

#include "base/text.h"
#include "debugger/command.h"
#include "debugger/commands.h"

namespace icecore::debugger {

namespace {

// A command is one row here and one function in a file of its kind (commands.h says which).
// Rows without a summary are other spellings of the row before them.
constexpr std::array table = {
    // Threads and stacks.
    Command{"~", "", "", "list the threads: `.` the current one, `#` the one of the exception",
            listThreads},
    Command{
        "k", "bpPnvfcLM", "[= SP IP] [COUNT]",
        "stack: n numbers, p parameters (P a line each), b words above the return address, v and "
        "how each frame was found, f stack use, c function names only, L without lines",
        showStack},
    Command{".frame", "", "[/c] [/r] [NUMBER]", "go to a frame; /c takes its registers as context",
            selectFrame},
    Command{"!uniqstack", "", "[-b | -v | -p] [-n]", "every different stack once, with its threads",
            uniqueStacks},
    Command{"!findstack", "", "TEXT [0|1|2]", "threads with TEXT in a frame", findInStacks},
    Command{"!runaway", "", "[FLAGS]", "time used by each thread: 1 user, 2 kernel, 4 elapsed",
            threadTimes},
    // Registers and the event.
    Command{"r", "", "[REGISTER,…] [$tN = VALUE]", "registers of the context", showRegisters},
    Command{".ecxr", "", "", "go to the registers of the exception", useException},
    Command{".cxr", "", "[ADDRESS]",
            "go to the registers of a CONTEXT or ucontext_t; alone: back to the thread",
            useContextRecord},
    Command{".exr", "", "[-1 | ADDRESS]",
            "the exception: where, what, on which address; or a record in memory", showException},
    Command{".lastevent", "", "", "what the dump was taken for", lastEvent},
    Command{".bugcheck", "", "", "why the kernel stopped, in a kernel dump", showBugCheck},
    Command{"!analyze", "", "[-v] [-f]", "the verdict on the crash; -v with all fields",
            analyzeDump},
    Command{"!gle", "", "[-all]", "errno of the current thread", lastError},
    Command{"!error", "", "NUMBER [1]", "an error number in words; 1: it is an NTSTATUS",
            explainError},
    // The process.
    Command{"|", "", "", "the process", showProcess},
    Command{"vertarget", "", "", "system, processor, times", showTarget},
    Command{"version", "", "", "", showTarget},
    Command{".dumpdebug", "", "",
            "what the dump's file consists of: streams, their sizes and places", showOutline},
    Command{".time", "", "", "when the dump was taken, how long the process ran", showTimes},
    Command{
        ".effmach", "", "[x86 | amd64 | . | #]",
        "the machine that everything is shown for; of a 32-bit process on 64-bit Windows (WOW64) "
        "both: `.` the dump's own, `#` that of the event",
        effectiveMachine},
    Command{"!wow64exts.sw", "", "", "go to the other of the two", switchSides},
    Command{"!sw", "", "", "", switchSides},
    Command{"!wow64exts.k", "", "[COUNT]", "the stacks of both", showBothStacks},
    Command{"!wow64exts.help", "", "", "", showWowHelp},
    Command{"!peb", "", "", "command line, directory, modules, environment, auxiliary vector",
            processEnvironment},
    Command{"!teb", "", "[ADDRESS]", "thread pointer, stack, what lies at the thread pointer",
            threadEnvironment},
    Command{"!handle", "", "[HANDLE | 0 [FLAGS [TYPE]]]",
            "open handles: 1 types, 2 rights and counts, 4 names, 8 states; descriptors on Linux",
            listHandles},
    Command{"!address", "", "[ADDRESS | -summary | [-f:FILTER,…] [-o:csv|tsv|1 | -c:\"COMMAND\"]]",
            "memory regions, one of them, sums, or those of a usage, type, state or protection; "
            "-o as values or addresses alone, -c a command for each",
            describeAddresses},
    // Modules and symbols.
    Command{"lm", "vmatukDfonseclpi", "[v] [m PATTERN] [a ADDRESS]",
            "modules: v in full, m by name, a by address, f with paths, l with symbols only",
            listModules},
    Command{"x", "", "[/a] [/n] [/v] MODULE!PATTERN", "symbols by name", examineSymbols},
    Command{"ln", "", "[ADDRESS]", "the symbols nearest to an address", nearestSymbols},
    Command{"dt", "", "[-r2] [-a] [-l FIELD] [MODULE!]TYPE [FIELD…] [ADDRESS]",
            "a type's members, or a structure in memory; wildcards list names", displayType},
    Command{"dv", "", "[/t] [/v] [/i] [PATTERN]",
            "variables of the frame: t types, v where they are, i parameters or locals",
            displayVariables},
    Command{".reload", "", "[/f] [/i] [MODULE]",
            "look for symbols anew: /f now, /i also files that do not match", reloadSymbols},
    Command{"!sym", "", "noisy | quiet", "tell every symbol file tried, or not", symbolNoise},
    Command{".sympath", "", "[+] [DIRECTORY;…]", "where symbol files are looked for", symbolPath,
            true},
    Command{".symfix", "", "[+] [DIRECTORY]",
            "the system's places, and a directory: of Windows Microsoft's server, kept there",
            fixSymbolPath, true},
    // Code and source.
    Command{"u", "", "[ADDRESS [LCOUNT | END]]", "disassemble", disassemble},
    Command{"ub", "", "[ADDRESS [LCOUNT]]", "disassemble what lies before", disassembleBack},
    Command{"uf", "", "[ADDRESS]", "disassemble a function along its branches",
            disassembleFunction},
    Command{"lsa", "", "[ADDRESS[, FIRST[, COUNT]]]", "source lines around an address or the frame",
            listSourceAt},
    Command{"ls", "", "[.] [FIRST[, COUNT]]", "source lines further on, or by number", listSource},
    Command{"lsc", "", "", "which file and line that is", currentSource},
    Command{".srcpath", "", "[+] [DIRECTORY;…]", "where source files are looked for",
            sourcePathCommand, true},
    // Memory.
    Command{"db", "", "[RANGE]", "bytes and text", displayMemory},
    Command{"dw", "", "[RANGE]", "16-bit values", displayMemory},
    Command{"dW", "", "[RANGE]", "16-bit values and text", displayMemory},
    Command{"dd", "", "[RANGE]", "32-bit values", displayMemory},
    Command{"dc", "", "[RANGE]", "32-bit values and text", displayMemory},
    Command{"dq", "", "[RANGE]", "64-bit values", displayMemory},
    Command{"dp", "", "[RANGE]", "pointers", displayMemory},
    Command{"df", "", "[RANGE]", "floats", displayMemory},
    Command{"dD", "", "[RANGE]", "doubles", displayMemory},
    Command{"da", "", "[RANGE]", "text up to a NUL", displayMemory},
    Command{"du", "", "[RANGE]", "UTF-16 text up to a NUL", displayMemory},
    Command{"dps", "", "[RANGE]", "pointers and the symbols they point to", displayPointers},
    Command{"dqs", "", "[RANGE]", "", displayPointers},
    Command{"dds", "", "[RANGE]", "32-bit values and their symbols", displayPointers},
    Command{"dpp", "", "[RANGE]", "pointers and the pointers they point to", displayPointers},
    Command{"dpa", "", "[RANGE]", "pointers and the text they point to", displayPointers},
    Command{"dpu", "", "[RANGE]", "pointers and the UTF-16 text they point to", displayPointers},
    Command{"d", "", "[RANGE]", "the last kind of display again", displayAgain},
    Command{"s", "", "[-b|w|d|q|a|u] RANGE PATTERN | -sa|-su RANGE",
            "search memory for values, text, or any strings", searchMemory},
    // Values and text.
    Command{"?", "", "EXPRESSION", "evaluate", evaluateExpression},
    Command{"??", "", "EXPRESSION", "evaluate an expression of C++: value and type",
            evaluateCppExpression},
    Command{".formats", "", "EXPRESSION", "a value in many forms", showFormats},
    Command{"n", "", "[8|10|16]", "radix of numbers", setRadix},
    Command{"as", "", "[/x|/ma|/mu|/msa|/msu|/e|/c|/f] NAME TEXT",
            "an alias: NAME, or ${NAME}, stands for TEXT, a value (/x), text in memory (/m…), a "
            "variable of the environment (/e), what commands print (/c), a file (/f)",
            misplaced, true},
    Command{"aS", "", "[/…] NAME TEXT", "the same, up to the next ';'", misplaced},
    Command{"ad", "", "[/q] NAME | *", "delete aliases", deleteAlias},
    Command{"al", "", "", "list aliases", listAliases},
    Command{".echo", "", "TEXT", "print text", echo},
    Command{".cls", "", "", "clear the screen", clearScreen},
    Command{
        ".logopen", "", "[/t] [/d | FILE]",
        "write all that is printed to a file as well; /t: time in its name, /d: the dump's name",
        openLog},
    Command{".logappend", "", "[/t] [/d | FILE]", "the same, behind what it holds", openLog},
    Command{".logclose", "", "", "end that", closeLog},
    Command{".logfile", "", "", "which file that is", showLog},
    Command{".printf", "", "\"FORMAT\", VALUE, …", "print values: %d %u %x %p %y %ma %mu",
            printFormatted},
    Command{".if", "", "(CONDITION) { … } [.elsif (…) { … }] [.else { … }]",
            "commands that run when a condition holds", misplaced},
    Command{".foreach", "", "[/pS N] [/ps N] (NAME { … }) { … }",
            "commands for every word that others print; /s of a text, /f of a file", misplaced},
    Command{".for", "", "(…; CONDITION; …) { … }", "commands again and again", misplaced},
    Command{".while", "", "(CONDITION) { … }", "commands while a condition holds", misplaced},
    Command{".do", "", "{ … } (CONDITION)", "the same, once at least", misplaced},
    Command{"j", "", "CONDITION 'COMMANDS' ; 'COMMANDS'", "one or the other", misplaced, true},
    Command{"z", "", "(CONDITION)", "the line again, from its start, while a condition holds",
            misplaced},
    Command{".block", "", "{ … }", "commands as one", misplaced},
    Command{".catch", "", "{ … }", "commands up to the first that fails", misplaced},
    Command{".leave", "", "", "leave .catch", misplaced},
    Command{".break", "", "", "leave the loop", misplaced},
    Command{".continue", "", "", "go on with its next turn", misplaced},
    Command{"$<", "", "FILE",
            "run a file of commands: $$< up to the next ';', $>< and $$>< as one "
            "line, $$>a< with arguments ${$arg1}…",
            misplaced},
    Command{".load", "", "FILE", "commands out of a library (icecore_extension.h)", loadExtension,
            true},
    Command{".unload", "", "NAME", "forget them", unloadExtension},
    Command{".chain", "", "", "the libraries loaded", listExtensions},
    Command{".help", "", "[COMMAND]", "this list", showHelp},
    Command{"q", "", "", "quit", quit},
    Command{"qq", "", "", "", quit},
    Command{"qd", "", "", "", quit},
};

/// Whether `word` is the row's name followed by letters the row takes.
bool calls(const Command& command, std::string_view word) {
    if (!word.starts_with(command.name)) return false;
    const std::string_view flags = word.substr(command.name.size());
    return flags.find_first_not_of(command.flags) == std::string_view::npos;
}

}  // namespace

std::span<const Command> allCommands() {
    return table;
}

FoundCommand findCommand(std::string_view word) {
    for (const Command& command : table) {
        if (command.name == word) return {&command, {}};
    }
    for (const Command& command : table) {
        if (equalsIgnoreCase(command.name, word)) return {&command, {}};
    }
    for (const Command& command : table) {
        if (!command.flags.empty() && calls(command, word))
            return {&command, word.substr(command.name.size())};
    }
    return {};
}

std::string_view nearestCommand(std::string_view word) {
    if (word.size() > 32) return {};
    std::string_view nearest;
    std::size_t best = word.size() > 2 ? 3 : 2;
    for (const Command& command : table) {
        const std::size_t distance = editDistance(toLower(word), toLower(command.name));
        if (distance < best && distance < command.name.size()) {
            best = distance;
            nearest = command.name;
        }
    }
    return nearest;
}

}  // namespace icecore::debugger
