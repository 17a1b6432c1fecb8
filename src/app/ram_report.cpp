#include "app/ram_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "app/image_report.h"
#include "app/report.h"
#include "base/how_many.h"
#include "base/text.h"
#include "formats/image/image.h"

namespace icecore::app {

namespace {

/// Ranges that the text lists; JSON and the manifest have all.
constexpr std::size_t shownUnread = 5;

void line(std::string_view label, std::string_view value) {
    fmt::print("{:<12} {}\n", label, printable(value));
}

std::string unreadText(const ram::Unread& one) {
    return fmt::format("{}-{}: {}", hex(one.range.begin()), hex(one.range.end()), one.why);
}

}  // namespace

void printPlan(const RamTask& task, const ram::RamSource& source,
               const std::vector<ram::Attempt>& attempts, bool json) {
    Machine machine;
    machine.physical = source.memory;
    machine.system = source.system;
    const RamPlace place = examinePlace(task, *source.memory);
    if (json) {
        Json document = {{"schema", "icecore.ram-plan/1"},
                         {"source", source.name},
                         {"description", source.description},
                         {"machine", machineJson(machine)},
                         {"path", task.output},
                         {"bytes_at_most", place.needed}};
        if (task.format != nullptr) document["format"] = task.format->name;
        if (place.free) document["bytes_free"] = *place.free;
        if (!place.objection.empty()) document["objection"] = place.objection;
        Json tried = Json::array();
        for (const ram::Attempt& attempt : attempts)
            tried.push_back({{"source", attempt.source}, {"problem", attempt.error.describe()}});
        document["tried"] = std::move(tried);
        document["issues"] = issuesJson(source.issues);
        printJson(document);
        return;
    }
    for (const ram::Attempt& attempt : attempts)
        line("Tried", attempt.source + ": " + attempt.error.describe());
    line("Source", source.description);
    for (const auto& [label, value] : machineLines(machine))
        line(label, value);
    if (task.format != nullptr) line("Format", task.format->description);
    line("At most", fmt::format("{} ({} bytes){}", humanBytes(place.needed), place.needed,
                                place.mayShrink ? " before compression" : ""));
    if (place.free) line("Free", humanBytes(*place.free));
    if (!place.objection.empty()) line("Refused", place.objection);
    for (const Issue& issue : source.issues.items())
        line(issue.severity == Severity::loss ? "Lost" : "Note", issue.describe());
}

void printTaken(const RamTask& task, const RamManifest& manifest, bool json) {
    if (json) {
        printJson(manifestJson(manifest));
        return;
    }
    std::FILE* const to = task.output == "-" ? stderr : stdout;
    const double speed =
        manifest.seconds > 0 ? static_cast<double>(manifest.memoryBytes) / manifest.seconds : 0;
    fmt::print(to, "{}: {} ({} bytes), {}, {} of memory in {} from {}, {:.1f} s, {}/s\n",
               printable(task.output), humanBytes(manifest.bytes), manifest.bytes, manifest.format,
               humanBytes(manifest.memoryBytes), howMany(manifest.ranges.size(), "range"),
               printable(manifest.source), manifest.seconds,
               humanBytes(static_cast<std::uint64_t>(speed)));
    for (const auto& [name, value] : manifest.hashes)
        fmt::print(to, "  {:<8} {}\n", name, value);
    for (const VolumeFiles::File& file : manifest.volumes) {
        fmt::print(to, "  {}: {} ({} bytes)\n", printable(file.path), humanBytes(file.bytes),
                   file.bytes);
        for (const auto& [name, value] : file.hashes)
            fmt::print(to, "    {:<8} {}\n", name, value);
    }
    const std::size_t count = manifest.unread.size();
    for (std::size_t i = 0; i < std::min(count, shownUnread); ++i)
        printError(task.output, "unread: " + unreadText(manifest.unread[i]));
    if (count > shownUnread)
        printError(task.output, fmt::format("unread: and {} more, {} in all",
                                            howMany(count - shownUnread, "range"),
                                            humanBytes(manifest.unreadBytes)));
    printIssues(task.output, manifest.issues);
}

}  // namespace icecore::app
