// .logopen, .logappend, .logclose, .logfile.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "base/text.h"
#include "base/time_text.h"
#include "debugger/commands.h"

namespace icecore::debugger {

namespace {

/// "log_1a2c_2026-11-27_12-08-28-919.txt": the process and the time go before the extension.
std::filesystem::path stamped(const std::filesystem::path& path, std::uint64_t pid) {
    const auto now = std::chrono::system_clock::now();
    std::string moment = isoTime(now);
    moment.pop_back();  // Z
    std::ranges::replace(moment, 'T', '_');
    std::ranges::replace(moment, ':', '-');
    const auto milliseconds =
        std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    const std::string name = fmt::format("{}_{:04x}_{}-{:03}{}", path.stem().string(), pid, moment,
                                         milliseconds, path.extension().string());
    return path.parent_path() / name;
}

/// The dump's own name with the extension `.log`, here: what `/d` chooses.
std::string nameOfTarget(const Session& session) {
    const std::filesystem::path dump(session.snapshot().provenance.path);
    const std::string name = dump.stem().string();
    return (name.empty() ? std::string("icecore") : name) + ".log";
}

Result<void> closeOpenLog(CommandCall& call) {
    call.out.print("Closing open log file {}\n", printable(call.session.logPath));
    call.session.log->flush();
    const bool good = call.session.log->good();
    call.session.log.reset();
    if (!good) return fail(Errc::io, "the log is incomplete", call.session.logPath);
    return {};
}

}  // namespace

Result<void> openLog(CommandCall& call) {
    const bool append = call.name == ".logappend";
    bool stamp = false, chosen = false;
    while (true) {
        if (call.arguments.takeSwitch('t')) {
            stamp = true;
        } else if (call.arguments.takeSwitch('d')) {
            chosen = true;
        } else if (!call.arguments.takeSwitch('u')) {  // UTF-16: logs are UTF-8
            break;
        }
    }
    std::string path(call.arguments.takeWord());
    TRY(call.arguments.finish());
    if (path.empty()) path = chosen ? nameOfTarget(call.session) : "dbgeng.log";
    if (stamp) path = stamped(path, call.session.process().pid).string();
    // The log of a dump must not become the end of it.
    std::error_code ignored;
    if (std::filesystem::equivalent(path, call.session.snapshot().provenance.path, ignored))
        return fail(Errc::exists, "the log would overwrite the dump", path);
    if (call.session.log) TRY(closeOpenLog(call));
    std::ofstream file(path, append ? std::ios::app : std::ios::trunc);
    if (!file) return fail(Errc::io, "Log file could not be opened", path);
    call.session.log = std::move(file);
    call.session.logPath = path;
    call.out.print("Opened log file '{}'\n", printable(path));
    return {};
}

Result<void> closeLog(CommandCall& call) {
    TRY(call.arguments.finish());
    if (!call.session.log) return {};
    return closeOpenLog(call);
}

Result<void> showLog(CommandCall& call) {
    TRY(call.arguments.finish());
    if (call.session.log) {
        call.out.print("Log '{}' open\n", printable(call.session.logPath));
    } else {
        call.out.write("No log file open\n");
    }
    return {};
}

}  // namespace icecore::debugger
