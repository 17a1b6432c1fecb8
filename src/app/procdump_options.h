// ProcDump's command line, both dialects: Windows' 12.0 and Linux' 3.5. See docs/triggers.md for
// where they differ.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "model/save_plan.h"
#include "monitor/watch_plan.h"

namespace icecore::app {

/// What a command line of ProcDump asks for.
struct ProcdumpOptions {
    enum class Job : std::uint8_t { watch, install, uninstall, cancel, help, examples };
    Job job = Job::watch;
    monitor::WatchPlan plan;      ///< its target too, unless that is a name or number: `target`
    std::string target;           ///< a process id or name
    bool waitFor = false;         ///< -w
    bool group = false;           ///< -pgid: `target` is a process group
    std::string output;           ///< file or folder; empty: the current one
    bool minidump = false;        ///< a Windows kind was asked for
    std::vector<DumpType> types;  ///< a dump of each; the smallest first
    std::string callbackLibrary;  ///< -md
    std::string comment;          ///< -dc
    unsigned concurrent = 0;      ///< -r: dumps written while the watch goes on
    bool avoidOutage = false;     ///< -a
    std::optional<std::chrono::seconds> timeout;  ///< -at
    bool overwrite = false;                       ///< -o
    bool toSystemLog = false;
    std::vector<std::string> notes;  ///< switches that change nothing here, and why
};

/// Errors: Errc::usage for what ProcDump would not understand either, Errc::unsupported with the
/// reason for what cannot be done here.
Result<ProcdumpOptions> parseProcdump(const std::vector<std::string>& arguments);

/// What `procdump -?` prints, and `procdump -? -e`.
std::string procdumpUsage();
std::string procdumpExamples();

}  // namespace icecore::app
