#include "kit/report.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "kit/machine.h"

namespace icecore::bench {

namespace {

using Json = nlohmann::ordered_json;

std::string_view unitName(Unit unit) {
    switch (unit) {
    case Unit::seconds: return "s";
    case Unit::bytes: return "bytes";
    case Unit::bytesPerSecond: return "bytes/s";
    case Unit::ratio: return "";
    }
    return "";
}

std::string targetText(const Row& row) {
    if (!row.target) return "";
    switch (row.target->kind) {
    case Target::Kind::peerAtLeast: return fmt::format("≥ {:g}×", row.target->bound);
    case Target::Kind::peerAtMost: return fmt::format("≤ {:g}×", row.target->bound);
    case Target::Kind::valueBelow: return "< " + text(row.target->bound, row.unit);
    case Target::Kind::valueAbove: return "> " + text(row.target->bound, row.unit);
    }
    return "";
}

std::string_view verdict(const Row& row) {
    if (!row.target) return "";
    const auto met = row.met();
    return !met ? "not measured" : *met ? "met" : "MISSED";
}

Json samplesJson(const Samples& samples) {
    return {{"median", samples.median()}, {"all", samples.values()}};
}

Json rowJson(const Row& row) {
    Json json = {{"what", row.what}, {"unit", unitName(row.unit)}};
    if (!row.state.empty()) json["state"] = row.state;
    if (!row.ours.empty()) json["icecore"] = samplesJson(row.ours);
    if (!row.peer.empty()) json["peer"] = row.peer;
    if (!row.theirs.empty()) json["peer_value"] = samplesJson(row.theirs);
    if (const auto ratio = row.ratio()) json["ratio"] = *ratio;
    if (row.target) json["target"] = targetText(row);
    if (const auto met = row.met()) json["met"] = *met;
    if (!row.remark.empty()) json["remark"] = row.remark;
    return json;
}

/// Columns by what is seen: "≥" and "×" are several bytes and one column.
std::string padded(std::string_view text, std::size_t width) {
    std::size_t seen = 0;
    for (const char c : text)
        if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) ++seen;
    return std::string(text) + std::string(width > seen ? width - seen : 0, ' ');
}

}  // namespace

std::string text(double value, Unit unit) {
    switch (unit) {
    case Unit::seconds:
        if (value < 1e-3) return fmt::format("{:.0f} µs", value * 1e6);
        if (value < 1) return fmt::format("{:.1f} ms", value * 1e3);
        return fmt::format("{:.2f} s", value);
    case Unit::bytes: return humanBytes(static_cast<std::uint64_t>(value));
    case Unit::bytesPerSecond: return humanBytes(static_cast<std::uint64_t>(value)) + "/s";
    case Unit::ratio: return fmt::format("{:.3f}", value);
    }
    return "";
}

std::optional<double> Row::ratio() const {
    if (ours.empty() || theirs.empty()) return std::nullopt;
    const bool theirsAbove =
        target ? target->kind == Target::Kind::peerAtLeast : unit == Unit::seconds;
    const double above = theirsAbove ? theirs.median() : ours.median();
    const double below = theirsAbove ? ours.median() : theirs.median();
    if (below == 0) return std::nullopt;
    return above / below;
}

std::optional<bool> Row::met() const {
    if (!target || ours.empty()) return std::nullopt;
    if (target->kind == Target::Kind::valueBelow) return ours.median() < target->bound;
    if (target->kind == Target::Kind::valueAbove) return ours.median() > target->bound;
    const auto measured = ratio();
    if (!measured) return std::nullopt;
    return target->kind == Target::Kind::peerAtLeast ? *measured >= target->bound
                                                     : *measured <= target->bound;
}

Report::Report(std::string name, std::string about, int argc, char** argv)
    : name_(std::move(name)), json_("build/release/bench-results/" + name_ + ".json") {
    CLI::App app(std::move(about), name_);
    app.add_flag("--quick", quick_, "a smoke test: small sizes, one run");
    const CLI::Option* runs = app.add_option("--runs", runs_, "runs of each, alternating (5)");
    app.add_option("--only", only_, "only these parts");
    app.add_option("--json", json_, "where the JSON goes (" + json_ + ")");
    app.add_option("--dir", directory_, "where large files are written (the current directory)");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::exit(app.exit(error));
    }
    if (quick_ && runs->count() == 0) runs_ = 1;
}

bool Report::wants(std::string_view part) const {
    return only_.empty() || std::ranges::find(only_, part) != only_.end();
}

void Report::printHeader() {
    if (headerPrinted_) return;
    headerPrinted_ = true;
    const Machine machine = describeMachine(directory_);
    fmt::print("{}{}: {}, {} cores, {}, {}, {}\n", name_,
               quick_ ? " (quick: figures say nothing)" : "", machine.cpu, machine.cores,
               humanBytes(machine.memory), machine.kernel, machine.disk);
    fmt::print(
        "medians of {}; ratio: what the peer takes of what icecore takes; of sizes, and where the "
        "target is ≤, the reverse\n",
        runs_);
    fmt::print("{} {} {} {} {} {} {}\n", padded("", 42), padded("icecore", 11), padded("peer", 24),
               padded("", 11), padded("ratio", 8), padded("target", 12), "");
}

void Report::add(Row row) {
    printHeader();
    const auto ratio = row.ratio();
    std::string what = row.what;
    if (!row.state.empty()) what += ", " + row.state;
    std::string line = padded(what, 42);
    const auto column = [&line](std::string_view text, std::size_t width) {
        line += ' ' + padded(text, width);
    };
    column(row.ours.empty() ? "–" : text(row.ours.median(), row.unit), 11);
    column(row.peer, 24);
    column(row.theirs.empty() ? (row.peer.empty() ? "" : "–") : text(row.theirs.median(), row.unit),
           11);
    column(ratio ? fmt::format("{:.2f}×", *ratio) : "", 8);
    column(targetText(row), 12);
    column(verdict(row), 0);
    fmt::print("{}\n", line);
    if (!row.remark.empty()) fmt::print("    {}\n", row.remark);
    std::fflush(stdout);
    rows_.push_back(std::move(row));
}

void Report::note(std::string sentence) {
    printHeader();
    fmt::print("    {}\n", sentence);
    std::fflush(stdout);
    notes_.push_back(std::move(sentence));
}

void Report::failure(std::string sentence) {
    printHeader();
    fmt::print("    FAILED: {}\n", sentence);
    std::fflush(stdout);
    failures_.push_back(std::move(sentence));
}

int Report::finish() {
    printHeader();
    const Machine machine = describeMachine(directory_);
    Json json = {{"schema", "icecore.bench/1"},
                 {"name", name_},
                 {"date", machine.date},
                 {"quick", quick_},
                 {"machine",
                  {{"cpu", machine.cpu},
                   {"cores", machine.cores},
                   {"memory", machine.memory},
                   {"kernel", machine.kernel},
                   {"disk", machine.disk},
                   {"load", machine.load}}}};
    Json rows = Json::array();
    std::size_t met = 0, missed = 0, unknown = 0;
    for (const Row& row : rows_) {
        rows.push_back(rowJson(row));
        if (row.target) ++(!row.met() ? unknown : *row.met() ? met : missed);
    }
    json["rows"] = std::move(rows);
    json["notes"] = notes_;
    json["failures"] = failures_;

    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path(json_).parent_path(), ignored);
    std::ofstream file(json_);
    file << json.dump(2) << '\n';
    file.flush();
    fmt::print("{}: {} targets met, {} missed, {} not measured; {}\n", name_, met, missed, unknown,
               file ? json_ : "cannot write " + json_);
    return failures_.empty() && file ? 0 : 1;
}

}  // namespace icecore::bench
