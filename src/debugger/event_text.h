// What happened, in words.
#pragma once

#include <string>

#include "debugger/session.h"

namespace icecore::debugger {

/// "x64 (AMD64)", "x86 compatible (x86)": a machine as WinDbg calls it.
std::string_view machineText(Arch arch);
/// "Signal SIGSEGV (segmentation fault: address not mapped) - code 11", or a Windows exception's
/// code.
std::string exceptionText(const Process& process, const Exception& exception);
/// The same; of a kernel dump "BugCheck D1, {…}: DRIVER_IRQL_NOT_LESS_OR_EQUAL".
std::string eventText(const Session& session, const Exception& exception);
/// The lines of `.exr -1`.
std::string exceptionRecordText(const Session& session, const Exception& exception);
/// The opening lines of a session: file, system, what happened and where, how many threads.
std::string bannerText(Session& session);

}  // namespace icecore::debugger
