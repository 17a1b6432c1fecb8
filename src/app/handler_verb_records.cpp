// The records of crashes, and the settings, as files.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "app/handler_verb.h"
#include "base/text.h"
#include "bytes/sink.h"

namespace icecore::app::handler {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view crashSchema = "icecore.crash/1";
constexpr std::uintmax_t maxRecord = std::uintmax_t{4} << 20;

std::optional<Json> readJson(const fs::path& file) {
    std::error_code error;
    const auto size = fs::file_size(file, error);
    if (error || size > maxRecord) return std::nullopt;
    std::ifstream stream(file, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded() || !json.is_object()) return std::nullopt;
    return json;
}

std::string textOf(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t numberOf(const Json& json, const char* key, std::uint64_t otherwise = 0) {
    const auto found = json.find(key);
    return found != json.end() && found->is_number_unsigned() ? found->get<std::uint64_t>()
                                                              : otherwise;
}

std::vector<std::string> listOf(const Json& json, const char* key) {
    std::vector<std::string> list;
    const auto found = json.find(key);
    if (found == json.end() || !found->is_array()) return list;
    for (const Json& item : *found) {
        if (item.is_string()) list.push_back(item.get<std::string>());
    }
    return list;
}

/// Only what lies in the folder itself is ever removed.
void removeFrom(const fs::path& folder, const fs::path& path) {
    std::error_code ignored;
    if (!path.empty()) fs::remove(folder / path.filename(), ignored);
}

}  // namespace

Json Settings::json() const {
    return {{"folder", folder},
            {"format", format},
            {"type", type},
            {"keep", keep},
            {"max_bytes", maxBytes},
            {"timeout_seconds", timeoutSeconds},
            {"pattern", pattern},
            {"previous_pattern", previousPattern},
            {"previous_pipe_limit", previousPipeLimit}};
}

Result<Settings> Settings::read(const fs::path& file) {
    std::error_code ignored;
    if (!fs::exists(file, ignored))
        return fail(Errc::not_found, "icecore is not installed", file.string());
    const auto json = readJson(file);
    if (!json) return fail(Errc::malformed, "is damaged", file.string());
    Settings settings;
    settings.folder = textOf(*json, "folder");
    settings.format = textOf(*json, "format");
    settings.type = textOf(*json, "type");
    settings.keep = numberOf(*json, "keep", settings.keep);
    settings.maxBytes = numberOf(*json, "max_bytes", settings.maxBytes);
    settings.timeoutSeconds = numberOf(*json, "timeout_seconds", settings.timeoutSeconds);
    settings.pattern = textOf(*json, "pattern");
    settings.previousPattern = textOf(*json, "previous_pattern");
    settings.previousPipeLimit = textOf(*json, "previous_pipe_limit");
    return settings;
}

Json Crash::json() const {
    Json json = {{"schema", crashSchema},
                 {"time", time},
                 {"program", program},
                 {"executable", executable},
                 {"command_line", commandLine},
                 {"pid", pid},
                 {"signal", signal},
                 {"signal_name", signalName},
                 {"path", path},
                 {"format", format},
                 {"type", type},
                 {"bytes", bytes},
                 {"disk_bytes", diskBytes},
                 {"verdict", verdict},
                 {"bucket", bucket},
                 {"problems", problems}};
    if (innerPid != pid) json["container_pid"] = innerPid;
    if (uid) json["uid"] = *uid;
    return json;
}

std::optional<Crash> Crash::fromJson(const Json& json) {
    if (textOf(json, "schema") != crashSchema) return std::nullopt;
    Crash crash;
    crash.time = textOf(json, "time");
    crash.program = textOf(json, "program");
    crash.executable = textOf(json, "executable");
    crash.commandLine = listOf(json, "command_line");
    crash.pid = numberOf(json, "pid");
    crash.innerPid = numberOf(json, "container_pid", crash.pid);
    if (json.contains("uid")) crash.uid = numberOf(json, "uid");
    crash.signal = numberOf(json, "signal");
    crash.signalName = textOf(json, "signal_name");
    crash.path = textOf(json, "path");
    crash.format = textOf(json, "format");
    crash.type = textOf(json, "type");
    crash.bytes = numberOf(json, "bytes");
    crash.diskBytes = numberOf(json, "disk_bytes");
    crash.verdict = textOf(json, "verdict");
    crash.bucket = textOf(json, "bucket");
    crash.problems = listOf(json, "problems");
    return crash;
}

std::vector<Crash> readCrashes(const fs::path& folder) {
    std::vector<Crash> crashes;
    std::error_code error;
    for (auto entry = fs::directory_iterator(folder, error);
         !error && entry != fs::directory_iterator(); entry.increment(error)) {
        if (entry->path().extension() != ".json") continue;
        const auto json = readJson(entry->path());
        auto crash = json ? Crash::fromJson(*json) : std::nullopt;
        if (!crash) continue;
        crash->record = entry->path();
        crashes.push_back(*std::move(crash));
    }
    std::ranges::sort(crashes, [](const Crash& a, const Crash& b) {
        return std::tie(b.time, b.pid) < std::tie(a.time, a.pid);
    });
    return crashes;
}

void enforceBudget(const fs::path& folder, std::uint64_t keep, std::uint64_t maxBytes) {
    std::uint64_t kept = 0;
    std::uint64_t bytes = 0;
    for (const Crash& crash : readCrashes(folder)) {
        const bool fits = kept < keep && bytes + crash.diskBytes <= maxBytes;
        if (kept == 0 || fits) {
            ++kept;
            bytes += crash.diskBytes;
            continue;
        }
        removeFrom(folder, crash.path);
        removeFrom(folder, crash.record);
    }
    // No receiver runs that long.
    removeTemporaries(folder, "", std::chrono::hours(24));
}

void removeTemporaries(const fs::path& folder, const std::string& prefix, std::chrono::hours age) {
    const auto youngest = fs::file_time_type::clock::now() - age;
    std::error_code error;
    for (auto entry = fs::directory_iterator(folder, error);
         !error && entry != fs::directory_iterator(); entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (!name.starts_with("." + prefix) || !name.ends_with(".tmp")) continue;
        std::error_code ignored;
        const bool old = age.count() == 0 ||
                         (fs::last_write_time(entry->path(), ignored) < youngest && !ignored);
        if (old) fs::remove(entry->path(), ignored);
    }
}

std::string journalLine(const Crash& crash) {
    std::string line = fmt::format("{} (pid {}", crash.program, crash.pid);
    if (crash.innerPid != crash.pid) line += fmt::format(", {} in its container", crash.innerPid);
    if (crash.uid) line += fmt::format(", uid {}", *crash.uid);
    line += fmt::format(") {}: {}", crash.signalName,
                        crash.verdict.empty() ? "no verdict" : crash.verdict);
    line += crash.path.empty() ? "; no dump"
                               : fmt::format("; dump {} ({})", crash.path, humanBytes(crash.bytes));
    for (const std::string& problem : crash.problems)
        line += "; " + problem;
    return printable(line);
}

Result<void> replaceFile(const fs::path& path, std::string_view text) {
    FileSinkOptions options;
    options.overwrite = true;
    ASSIGN_OR_RETURN(const auto sink, createFileSink(path, options));
    TRY(sink->write(std::as_bytes(std::span(text))));
    return sink->finish();
}

}  // namespace icecore::app::handler
