#include "app/verbs.h"

#include <array>

namespace icecore::app {

namespace {

constexpr std::array table = {
// The static program has what needs neither symbols nor the network's libraries.
#ifndef ICECORE_PORTABLE
    Verb{"analyze", "the whole verdict in one go: text, --json, --html PATH", makeAnalyzeVerb},
    Verb{"build", "make a dump, broken ones too, from its description", makeBuildVerb},
    Verb{"counters", "performance counters of a process, by Windows' names", makeCountersVerb},
    Verb{"describe", "everything in a dump, as text", makeDescribeVerb},
    Verb{"dump", "freeze a running process into a dump", makeDumpVerb},
    Verb{"handler", "be the system's crash handler: install, status, list, open", makeHandlerVerb},
    Verb{"open", "debugger prompt over a dump: the WinDbg commands", makeOpenVerb},
    Verb{"procdump", "ProcDump's command line; also under that name", makeProcdumpVerb},
    Verb{"symbols", "symbols of a dump or a file: list, check, look up, fetch", makeSymbolsVerb},
    Verb{"info", "what a dump is: one screen", makeInfoVerb},
#endif
    Verb{"convert", "an image or a dump in another format", makeConvertVerb},
    Verb{"ram", "acquire a machine's physical memory", makeRamVerb},
    Verb{"winpmem", "WinPmem's command line; also under that name", makeWinpmemVerb},
    Verb{"verify", "is an image or a dump whole: structure, checksums, hashes", makeVerifyVerb},
};

}  // namespace

std::span<const Verb> allVerbs() {
    return table;
}

}  // namespace icecore::app
