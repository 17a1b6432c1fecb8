// `icecore info FILE`: what a dump is, on one screen.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "analysis/bug_checks.h"
#include "analysis/windows_exception.h"
#include "app/image_report.h"
#include "app/report.h"
#include "app/verbs.h"
#include "base/how_many.h"
#include "base/text.h"
#include "base/time_text.h"
#include "formats/format.h"
#include "formats/image/system_guess.h"

namespace icecore::app {

namespace {

/// "12 (complete)"; the count alone says nothing when some are missing.
template <class T>
std::string counted(const Listing<T>& list) {
    switch (list.coverage) {
    case Coverage::absent: return "not recorded";
    case Coverage::complete: return fmt::format("{}", list.size());
    case Coverage::partial: return fmt::format("{}, and some are missing", list.size());
    case Coverage::failed: return fmt::format("{}, and the rest could not be read", list.size());
    }
    return {};
}

std::string_view consistencyText(Consistency consistency) {
    switch (consistency) {
    case Consistency::unknown: return "";
    case Consistency::frozen: return "everything belongs to one moment";
    case Consistency::mixed: return "some ranges were read at another moment";
    case Consistency::smeared: return "read while the target ran";
    }
    return "";
}

struct MemoryTotals {
    std::uint64_t captured = 0, missing = 0;
};

MemoryTotals totals(const AddressSpace& memory) {
    MemoryTotals sum;
    for (const Extent& extent : memory.extents(Range::all()))
        (extent.absence == Absence::none ? sum.captured : sum.missing) += extent.range.size();
    return sum;
}

void line(std::string_view label, std::string_view value) {
    if (!value.empty()) fmt::print("{:<12} {}\n", label, printable(value));
}

std::string joined(const std::vector<std::string>& words) {
    return fmt::format("{}", fmt::join(words, " "));
}

void printSystem(const SystemInfo& system) {
    line("System", fmt::format("{} {}", toString(system.os), system.version));
    line("", system.distribution);
    line("Host", system.hostName);
    std::string cpu(toString(system.arch));
    if (system.cpuCount > 0) cpu += ", " + howMany(system.cpuCount, "CPU");
    if (!system.cpuModel.empty()) cpu += ", " + system.cpuModel;
    line("CPU", cpu);
}

/// A kernel's exception is the bug check.
void printException(const Snapshot& snapshot) {
    const Process& process = *snapshot.process;
    if (!process.exception) return;
    const Exception& exception = *process.exception;
    if (process.system.os == Os::windows && snapshot.machine) {
        const BugCheck words = explainBugCheck(exception.code, exception.parameters);
        line("Bug check", fmt::format("{:#x} {}: {}", exception.code, words.name, words.text));
        for (const std::string& parameter : words.parameters)
            line("", parameter);
        return;
    }
    const bool isSignal = process.system.os == Os::linux_os || process.system.os == Os::android;
    std::string text =
        fmt::format("{} in thread {} at {}",
                    isSignal ? fmt::format("signal {}", exception.code) : hex(exception.code),
                    exception.threadId, hex(exception.address));
    if (process.system.os == Os::windows) {
        const WindowsException words = readWindowsException(exception);
        text = fmt::format("{} ({:#010x}, {}) in thread {} at {}", words.name, exception.code,
                           words.text, exception.threadId, hex(exception.address));
    }
    if (exception.faultAddress) text += fmt::format(", address {}", hex(*exception.faultAddress));
    line("Exception", text);
}

void printProcess(const Snapshot& snapshot) {
    const Process& process = *snapshot.process;
    line("Process",
         fmt::format("{} (pid {}, parent {})", process.name, process.pid, process.parentPid));
    line("Program", process.executable);
    line("Command", joined(process.commandLine));
    if (process.started) line("Started", timeText(*process.started));
    printException(snapshot);
    line("Threads", counted(process.threads));
    line("Modules", counted(process.modules));
    if (!process.unloadedModules.empty()) line("Unloaded", counted(process.unloadedModules));
    line("Regions", counted(process.regions));
    const MemoryTotals memory = totals(*process.memory);
    line("Memory", fmt::format("{} captured, {} not", humanBytes(memory.captured),
                               humanBytes(memory.missing)));
}

void printText(const Snapshot& snapshot, const std::optional<image::SystemGuess>& guess) {
    const Provenance& from = snapshot.provenance;
    const Format* format = formatByName(from.format);
    line("File", from.path);
    line("Format", format != nullptr ? format->description : std::string_view(from.format));
    line("Size", fmt::format("{} ({} bytes)", humanBytes(from.bytes), from.bytes));
    if (from.time) line("Taken", timeText(*from.time));
    line("Written by", from.tool);
    line("Content", from.type);
    line("Consistency", consistencyText(from.consistency));
    if (snapshot.process) {
        printSystem(snapshot.process->system);
        printProcess(snapshot);
    }
    if (guess) {
        for (const auto& [label, value] : guessLines(*guess))
            line(label, value);
    }
    if (snapshot.machine) {
        for (const auto& [label, value] : machineLines(*snapshot.machine)) {
            // A kernel's dump has said these already.
            if (!snapshot.process || (label != "System" && label != "CPU")) line(label, value);
        }
    }
    if (!snapshot.unread.empty()) {
        line("Unread",
             howMany(snapshot.unread.size(), "range") + " could not be read when it was taken");
    }
    for (const std::string_view name : {"comment", "assertion", "annotations"}) {
        // What people wrote, as far as a screen holds it.
        constexpr std::size_t mostLines = 20;
        const SharedBytes* text = snapshot.attachment(name);
        if (text == nullptr) continue;
        const auto lines = split(trim(text->text()), '\n');
        std::string label(name);
        label.front() = static_cast<char>(label.front() - 'a' + 'A');
        for (std::size_t i = 0; i < std::min(lines.size(), mostLines); ++i)
            line(i == 0 ? std::string_view(label) : std::string_view(), lines[i]);
        if (lines.size() > mostLines)
            line("", fmt::format("and {} more", lines.size() - mostLines));
    }
    if (!snapshot.attachments.empty()) {
        std::vector<std::string> names;
        names.reserve(snapshot.attachments.size());
        for (const Attachment& attachment : snapshot.attachments)
            names.push_back(attachment.name);
        line("Also holds", joined(names));
    }
    for (const Issue& issue : snapshot.issues.items()) {
        line(issue.severity == Severity::loss ? "Lost" : "Note", issue.describe());
    }
    if (snapshot.issues.dropped() > 0)
        line("", fmt::format("and {} more", snapshot.issues.dropped()));
}

Json exceptionJson(const Exception& exception) {
    Json json = {{"code", hex(exception.code)},
                 {"address", hex(exception.address)},
                 {"thread", exception.threadId}};
    if (exception.faultAddress) json["fault_address"] = hex(*exception.faultAddress);
    return json;
}

Json processJson(const Process& process) {
    const MemoryTotals memory = totals(*process.memory);
    Json json = {{"pid", process.pid},
                 {"parent_pid", process.parentPid},
                 {"name", process.name},
                 {"executable", process.executable},
                 {"command_line", process.commandLine},
                 {"threads", process.threads.size()},
                 {"modules", process.modules.size()},
                 {"regions", process.regions.size()},
                 {"captured_bytes", memory.captured},
                 {"missing_bytes", memory.missing}};
    if (process.started) json["started"] = timeText(*process.started);
    if (process.exception) json["exception"] = exceptionJson(*process.exception);
    return json;
}

Json snapshotJson(const Snapshot& snapshot) {
    const Provenance& from = snapshot.provenance;
    Json json = {{"schema", "icecore.info/1"}, {"path", from.path}, {"format", from.format},
                 {"bytes", from.bytes},        {"tool", from.tool}, {"type", from.type}};
    if (from.time) json["time"] = timeText(*from.time);
    if (const auto text = consistencyText(from.consistency); !text.empty())
        json["consistency"] = text;
    if (snapshot.process) {
        const SystemInfo& system = snapshot.process->system;
        json["system"] = {{"os", toString(system.os)},
                          {"version", system.version},
                          {"arch", toString(system.arch)},
                          {"cpus", system.cpuCount}};
        json["process"] = processJson(*snapshot.process);
    }
    if (snapshot.machine) json["machine"] = machineJson(*snapshot.machine);
    if (const SharedBytes* comment = snapshot.attachment("comment"))
        json["comment"] = comment->text();
    Json names = Json::array();
    for (const Attachment& attachment : snapshot.attachments)
        names.push_back(attachment.name);
    json["attachments"] = std::move(names);
    Json unread = Json::array();
    for (const Range& range : snapshot.unread)
        unread.push_back({{"begin", hex(range.begin())}, {"end", hex(range.end())}});
    json["unread"] = std::move(unread);
    json["issues"] = issuesJson(snapshot.issues);
    return json;
}

/// Of an image that does not say what system it is of: a second or two.
constexpr std::uint64_t mostSearched = std::uint64_t{2} << 30;

/// What the memory itself says, where its file says nothing.
std::optional<image::SystemGuess> guessOf(const Snapshot& snapshot) {
    if (!snapshot.machine || snapshot.process || snapshot.machine->system.os != Os::unknown)
        return std::nullopt;
    return image::guessSystem(*snapshot.machine->physical, mostSearched);
}

class InfoVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.add_option("FILE", path_, "the dump")->required();
        command.add_flag("--json", json_, "one JSON document instead of text");
    }
    [[nodiscard]] int run() override {
        const auto snapshot = openDump(path_);
        if (!snapshot) {
            printError(path_, snapshot.error());
            return failed;
        }
        const auto guess = guessOf(*snapshot);
        if (json_) {
            Json document = snapshotJson(*snapshot);
            if (guess) document["system_guess"] = guessJson(*guess);
            printJson(document);
        } else {
            printText(*snapshot, guess);
        }
        return snapshot->issues.lossy() ? doneWithLosses : done;
    }

private:
    std::string path_;
    bool json_ = false;
};

}  // namespace

std::unique_ptr<VerbRun> makeInfoVerb() {
    return std::make_unique<InfoVerb>();
}

}  // namespace icecore::app
