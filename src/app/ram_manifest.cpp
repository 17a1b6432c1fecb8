#include "app/ram_manifest.h"

#include <fmt/format.h>

#include "base/text.h"
#include "base/time_text.h"
#include "base/version.h"
#include "bytes/sink.h"

namespace icecore::app {

namespace {

std::string_view consistencyText(Consistency consistency) {
    switch (consistency) {
    case Consistency::frozen: return "frozen";
    case Consistency::mixed: return "mixed";
    case Consistency::smeared: return "smeared";
    case Consistency::unknown: break;
    }
    return "unknown";
}

Json systemJson(const SystemInfo& system) {
    return {{"name", system.hostName},
            {"os", toString(system.os)},
            {"kernel", system.version},
            {"arch", toString(system.arch)},
            {"cpus", system.cpuCount}};
}

Json hashesJson(const std::vector<std::pair<std::string, std::string>>& hashes) {
    Json json = Json::object();
    for (const auto& [name, value] : hashes)
        json[name] = value;
    return json;
}

}  // namespace

Json manifestJson(const RamManifest& manifest) {
    Json ranges = Json::array();
    for (const Range& range : manifest.ranges)
        ranges.push_back({{"begin", hex(range.begin())}, {"end", hex(range.end())}});
    Json unread = Json::array();
    for (const ram::Unread& one : manifest.unread)
        unread.push_back(
            {{"begin", hex(one.range.begin())}, {"end", hex(one.range.end())}, {"why", one.why}});
    Json json = {{"schema", "icecore.ram/1"},
                 {"tool", fmt::format("icecore {}", versionText)},
                 {"path", manifest.path},
                 {"format", manifest.format},
                 {"compression", manifest.compression},
                 {"bytes", manifest.bytes},
                 {"hashes", hashesJson(manifest.hashes)},
                 {"source", manifest.source},
                 {"source_description", manifest.sourceDescription},
                 {"consistency", consistencyText(manifest.consistency)},
                 {"started", isoTime(manifest.started)},
                 {"ended", isoTime(manifest.ended)},
                 {"seconds", manifest.seconds},
                 {"interruptions", manifest.interruptions},
                 {"system", systemJson(manifest.system)},
                 {"host", systemJson(manifest.host)},
                 {"direct_io", manifest.direct},
                 {"memory_bytes", manifest.memoryBytes},
                 {"zero_bytes", manifest.zeroBytes},
                 {"unread_bytes", manifest.unreadBytes},
                 {"ranges", std::move(ranges)},
                 {"unread", std::move(unread)},
                 {"issues", issuesJson(manifest.issues)}};
    for (const VolumeFiles::File& file : manifest.volumes)
        json["volumes"].push_back(
            {{"path", file.path}, {"bytes", file.bytes}, {"hashes", hashesJson(file.hashes)}});
    if (!manifest.kernelInfo.empty()) json["vmcoreinfo"] = manifest.kernelInfo;
    return json;
}

Result<void> saveManifest(const std::string& path, const RamManifest& manifest, bool overwrite) {
    FileSinkOptions options;
    options.overwrite = overwrite;
    ASSIGN_OR_RETURN(auto sink, createFileSink(path, options));
    const std::string text =
        manifestJson(manifest).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    TRY(sink->write(std::as_bytes(std::span(text))));
    return sink->finish();
}

}  // namespace icecore::app
