#include "app/verbs.h"

#include <array>

namespace icecore::app {

namespace {

/// In the order of the work: taking dumps, reading them, turning one into another.
constexpr std::array table = {
// The static program has what needs neither symbols nor the network's libraries.
#ifndef ICECORE_PORTABLE
    Verb{"dump", "freeze a running process into a dump", makeDumpVerb},
    Verb{"procdump", "ProcDump's command line; also under that name", makeProcdumpVerb},
    Verb{"counters", "performance counters of a process, by Windows' names", makeCountersVerb},
    Verb{"handler", "be the system's crash handler: install, status, list, open", makeHandlerVerb},
#endif
    Verb{"ram", "acquire a machine's physical memory", makeRamVerb},
    Verb{"winpmem", "WinPmem's command line; also under that name", makeWinpmemVerb},
#ifndef ICECORE_PORTABLE
    Verb{"info", "what a dump is: one screen", makeInfoVerb},
    Verb{"analyze", "the whole verdict in one go: text, --json, --html PATH", makeAnalyzeVerb},
    Verb{"open", "debugger prompt over a dump: the WinDbg commands", makeOpenVerb},
    Verb{"symbols", "symbols of a dump or a file: list, check, look up, fetch", makeSymbolsVerb},
    Verb{"describe", "everything in a dump, as text", makeDescribeVerb},
    Verb{"build", "make a dump, broken ones too, from its description", makeBuildVerb},
#endif
    Verb{"verify", "is an image or a dump whole: structure, checksums, hashes", makeVerifyVerb},
    Verb{"convert", "an image or a dump in another format", makeConvertVerb},
};

}  // namespace

std::span<const Verb> allVerbs() {
    return table;
}

}  // namespace icecore::app
