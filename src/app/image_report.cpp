#include "app/image_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/how_many.h"
#include "base/text.h"
#include "formats/image/translation.h"

namespace icecore::app {

namespace {

/// Ranges that the text lists; --json lists more.
constexpr std::size_t shownRanges = 16;
constexpr std::size_t listedRanges = 10'000;

struct Layout {
    std::vector<Range> present;
    std::vector<Extent> absent;
    std::uint64_t presentBytes = 0, zeroBytes = 0, absentBytes = 0;
};

Layout layoutOf(const Machine& machine) {
    Layout layout;
    for (const Extent& extent : machine.physical->extents(Range::all())) {
        if (extent.absence != Absence::none) {
            layout.absent.push_back(extent);
            layout.absentBytes += extent.range.size();
            continue;
        }
        layout.presentBytes += extent.range.size();
        if (extent.zero) layout.zeroBytes += extent.range.size();
        if (!layout.present.empty() && layout.present.back().end() == extent.range.begin())
            layout.present.back() =
                Range::between(layout.present.back().begin(), extent.range.end());
        else
            layout.present.push_back(extent.range);
    }
    return layout;
}

std::string rangeText(Range range) {
    return fmt::format("{}-{} ({})", hex(range.begin()), hex(range.end()),
                       humanBytes(range.size()));
}

std::string tablesText(const image::Translation& tables) {
    return fmt::format("root {} (by {}){}", hex(tables.root), tables.foundIn,
                       tables.levels > 0 ? fmt::format(", {} levels", tables.levels) : "");
}

}  // namespace

std::vector<std::pair<std::string, std::string>> guessLines(const image::SystemGuess& guess) {
    if (guess.os == Os::unknown)
        return {{"System", guess.gaveUp ? "not known, by the first part of the memory" : ""}};
    std::vector<std::pair<std::string, std::string>> lines = {
        {"System", fmt::format("{} {}(a guess, by what lies at {})", toString(guess.os),
                               guess.version.empty() ? "" : guess.version + " ", hex(guess.at))},
        {"Banner", guess.banner}};
    if (guess.tables) lines.emplace_back("Page tables", tablesText(*guess.tables));
    return lines;
}

Json guessJson(const image::SystemGuess& guess) {
    Json json = {{"os", toString(guess.os)}, {"version", guess.version}, {"banner", guess.banner}};
    if (guess.os != Os::unknown) json["found_at"] = hex(guess.at);
    if (guess.tables) {
        json["page_table_root"] = hex(guess.tables->root);
        if (guess.tables->levels > 0) json["page_table_levels"] = guess.tables->levels;
    }
    return json;
}

std::vector<std::pair<std::string, std::string>> machineLines(const Machine& machine) {
    std::vector<std::pair<std::string, std::string>> lines;
    const SystemInfo& system = machine.system;
    if (system.os != Os::unknown)
        lines.emplace_back("System", fmt::format("{} {}", toString(system.os), system.version));
    if (system.arch != Arch::unknown) {
        // Those whose registers are there, else as many as the system is known to have.
        const std::size_t cpus =
            machine.cpus.empty() ? std::size_t{system.cpuCount} : machine.cpus.size();
        std::string cpu(toString(system.arch));
        if (cpus > 0) cpu += ", " + howMany(cpus, "CPU");
        lines.emplace_back("CPU", cpu);
    }
    if (const auto tables = image::translationOf(machine))
        lines.emplace_back("Page tables", tablesText(*tables));
    for (const auto& [hint, label] :
         {std::pair("current process", "Running"), std::pair("current thread", "Its thread")}) {
        if (const auto found = machine.hints.find(hint); found != machine.hints.end())
            lines.emplace_back(label, found->second);
    }
    const Layout layout = layoutOf(machine);
    if (layout.present.empty() && layout.absent.empty()) return lines;
    std::string memory =
        humanBytes(layout.presentBytes) + " in " + howMany(layout.present.size(), "range");
    if (layout.zeroBytes > 0)
        memory += fmt::format(", of which {} are known to be zero", humanBytes(layout.zeroBytes));
    lines.emplace_back("Memory", memory);
    const std::size_t shown = std::min(layout.present.size(), shownRanges);
    for (std::size_t i = 0; i < shown; ++i)
        lines.emplace_back("", rangeText(layout.present[i]));
    if (layout.present.size() > shown)
        lines.emplace_back("", fmt::format("and {} more", layout.present.size() - shown));
    if (!layout.absent.empty()) {
        lines.emplace_back("Missing", humanBytes(layout.absentBytes) + " in " +
                                          howMany(layout.absent.size(), "range"));
        for (std::size_t i = 0; i < std::min(layout.absent.size(), shownRanges); ++i)
            lines.emplace_back("", rangeText(layout.absent[i].range) + ": " +
                                       std::string(toString(layout.absent[i].absence)));
    }
    return lines;
}

Json rangesJson(const std::vector<Range>& ranges) {
    Json json = Json::array();
    for (const Range& range : ranges) {
        if (json.size() == listedRanges) break;
        json.push_back({{"begin", hex(range.begin())}, {"end", hex(range.end())}});
    }
    return json;
}

Json machineJson(const Machine& machine) {
    const Layout layout = layoutOf(machine);
    Json json = {{"memory_bytes", layout.presentBytes},
                 {"zero_bytes", layout.zeroBytes},
                 {"missing_bytes", layout.absentBytes},
                 {"range_count", layout.present.size()},
                 {"ranges", rangesJson(layout.present)}};
    Json missing = Json::array();
    for (const Extent& extent : layout.absent) {
        if (missing.size() == listedRanges) break;
        missing.push_back({{"begin", hex(extent.range.begin())},
                           {"end", hex(extent.range.end())},
                           {"why", toString(extent.absence)}});
    }
    json["missing"] = std::move(missing);
    const SystemInfo& system = machine.system;
    json["system"] = {{"os", toString(system.os)},
                      {"version", system.version},
                      {"arch", toString(system.arch)},
                      {"cpus", machine.cpus.size()}};
    if (const auto tables = image::translationOf(machine)) {
        json["page_table_root"] = hex(tables->root);
        if (tables->levels > 0) json["page_table_levels"] = tables->levels;
    }
    return json;
}

}  // namespace icecore::app
