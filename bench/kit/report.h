// What a benchmark found: a table for people, JSON for machines, and whether targets were met.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kit/samples.h"

namespace icecore::bench {

enum class Unit : std::uint8_t { seconds, bytes, bytesPerSecond, ratio };

/// "12.3 ms", "64.0 MiB", "1.2 GiB/s", "0.12".
std::string text(double value, Unit unit);

/// What we have promised about a figure.
struct Target {
    enum class Kind : std::uint8_t {
        peerAtLeast,  ///< the peer takes at least `bound` times as much as we
        peerAtMost,   ///< we take at most `bound` times as much as the peer
        valueBelow,   ///< our own value is below `bound`
        valueAbove,   ///< our own value is above `bound`
    };
    Kind kind;
    double bound;
};

/// One line of the table: our figure, beside a peer's of the same run where there is one.
struct Row {
    std::string what = {};   ///< "pause, 2 GiB resident"
    std::string state = {};  ///< "warm", "cold", or empty
    Unit unit = Unit::seconds;
    Samples ours = {};
    std::string peer = {};    ///< "gcore", "dd"; empty when there is nothing to compare with
    Samples theirs = {};      ///< empty when the peer is not installed or failed
    std::string remark = {};  ///< why something is missing, or how to read it
    std::optional<Target> target = {};

    /// theirs / ours for peerAtLeast and for times without a target, ours / theirs otherwise;
    /// nothing without both.
    [[nodiscard]] std::optional<double> ratio() const;
    /// Nothing without a target, or when what it needs was not measured.
    [[nodiscard]] std::optional<bool> met() const;
};

/// The options that all benchmark programs take, and the two places their results go to.
class Report {
public:
    /// Parses the command line. `name` as in build/release/bench-results/NAME.json. On --help or
    /// wrong usage the program ends here.
    Report(std::string name, std::string about, int argc, char** argv);

    /// A smoke test: small sizes, few runs; its figures say nothing.
    [[nodiscard]] bool quick() const { return quick_; }
    [[nodiscard]] int runs() const { return runs_; }
    /// Where large files may be written.
    [[nodiscard]] const std::string& directory() const { return directory_; }
    /// Whether part `name` of the benchmark was asked for (--only NAME); all are by default.
    [[nodiscard]] bool wants(std::string_view part) const;

    /// Prints the row at once: measuring the next may take a while.
    void add(Row row);
    /// A sentence for both: a tool's version, how something was done.
    void note(std::string sentence);
    /// Says that a measurement could not be made; the program's exit status will be 1.
    void failure(std::string sentence);
    /// Writes the JSON. Returns the program's exit status: 0 measured, whatever the figures; 1 a
    /// measurement failed.
    [[nodiscard]] int finish();

private:
    void printHeader();

    std::string name_, json_, directory_ = ".";
    bool quick_ = false, headerPrinted_ = false;
    int runs_ = 5;
    std::vector<std::string> only_;
    std::vector<Row> rows_;
    std::vector<std::string> notes_, failures_;
};

}  // namespace icecore::bench
