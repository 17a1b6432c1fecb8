// How long does the target stand still? Seen by the target itself: a thread of it reads the clock
// all the time and keeps the longest gap. Beside gdb's gcore, and beside a bare fork of that very
// process, which is what a copy-on-write snapshot cannot do without.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/text.h"
#include "kit/icecore.h"
#include "kit/report.h"
#include "kit/run.h"

namespace icecore::bench {

namespace {

/// Seconds out of an answer in nanoseconds, the first number of it.
double seconds(std::string_view answer) {
    const auto words = splitBlanks(answer);
    const auto value = words.empty() ? std::nullopt : parseDecimal(words[0]);
    return value ? static_cast<double>(*value) / 1e9 : 0;
}

struct Case {
    std::string what;
    std::uint64_t mebibytes;
    int threads;
};

/// What the target saw while `during` ran, every page having been written before. The victim is
/// written to first, so that no run profits from pages that a former clone left write-protected.
template <class During>
double pauseSeen(tests::Victim& victim, During during) {
    (void)ask(victim, "touch");
    (void)ask(victim, "reset");
    during();
    return seconds(ask(victim, "gaps"));
}

class Pause {
public:
    explicit Pause(Report& report) : report_(report), scratch_(report.directory()) {}

    void againstGcore(const Case& target, double bound) {
        tests::Victim victim("bench_memory", arguments(target));
        if (!isReady(victim, target)) return;
        Row row{.what = "pause, " + target.what,
                .peer = "gcore",
                .target = Target{Target::Kind::peerAtLeast, bound}};
        const bool peer = installed("gcore");
        if (peer) {
            row.peer = versionOf("gcore");
        } else {
            row.remark = "gcore is not installed: nothing to compare with";
        }
        Samples own;
        for (int i = 0; i < report_.runs(); ++i) {
            if (!addOurs(victim, row.ours, own)) return;
            if (!peer) continue;
            Run cost;
            const double gap = pauseSeen(victim, [&] {
                cost = run({"gcore", "-o", scratch_ / "gcore", std::to_string(victim.pid())});
            });
            const std::string file = scratch_ / ("gcore." + std::to_string(victim.pid()));
            if (!cost.succeeded || fileBytes(file) == 0) {
                row.remark = fmt::format("gcore failed: {}", printable(trim(cost.output)));
            } else {
                row.theirs.add(gap);
            }
            std::filesystem::remove(file);
        }
        row.remark += row.remark.empty() ? "" : "; ";
        row.remark += fmt::format("icecore itself says {}", text(own.median(), Unit::seconds));
        report_.add(std::move(row));
    }

    void againstFork(const Case& target) {
        tests::Victim victim("bench_memory", arguments(target));
        if (!isReady(victim, target)) return;
        Row row{.what = "pause, " + target.what,
                .peer = "bare fork",
                .target = Target{Target::Kind::peerAtMost, 1.5}};
        Samples own;
        for (int i = 0; i < report_.runs(); ++i) {
            if (!addOurs(victim, row.ours, own)) return;
            (void)ask(victim, "touch");
            row.theirs.add(seconds(ask(victim, "fork")));
        }
        row.remark = fmt::format("icecore itself says {}", text(own.median(), Unit::seconds));
        report_.add(std::move(row));
    }

private:
    static std::vector<std::string> arguments(const Case& target) {
        return {std::to_string(target.mebibytes), std::to_string(target.threads), "random",
                "clock"};
    }

    bool isReady(tests::Victim& victim, const Case& target) {
        const auto said = ready(victim);
        if (!said) report_.failure(target.what + ": " + said.error().describe());
        return said.has_value();
    }

    bool addOurs(tests::Victim& victim, Samples& seen, Samples& own) {
        const std::string path = scratch_ / "icecore.core";
        Result<DumpResult> result = fail(Errc::internal, "");
        const double gap =
            pauseSeen(victim, [&] { result = dump(victim, path, {"--type", "full"}); });
        std::filesystem::remove(path);
        if (!result) {
            report_.failure(result.error().describe());
            return false;
        }
        if (result->snapshot != "clone")
            report_.note("icecore fell back to --snapshot " + result->snapshot);
        seen.add(gap);
        own.add(result->pauseSeconds);
        return true;
    }

    Report& report_;
    ScratchDirectory scratch_;
};

std::string resident(std::uint64_t mebibytes) {
    return humanBytes(mebibytes << 20) + " resident";
}

int measure(Report& report) {
    Pause pause(report);
    const std::uint64_t gibibyte = report.quick() ? 64 : 1024;
    const int many = report.quick() ? 200 : 2000;
    report.note(
        "as the target's own clock thread sees it; `icecore dump --type full`; 4 KiB pages");
    if (report.wants("gcore")) pause.againstGcore({resident(2 * gibibyte), 2 * gibibyte, 0}, 20);
    if (report.wants("threads"))
        pause.againstGcore({fmt::format("{} threads", many), 64, many}, 10);
    if (report.wants("fork")) {
        for (const std::uint64_t size : {1, 4, 8})
            pause.againstFork({resident(size * gibibyte), size * gibibyte, 0});
    }
    return report.finish();
}

}  // namespace

}  // namespace icecore::bench

int main(int argc, char** argv) {
    icecore::bench::Report report(
        "capture_pause", "How long a target stands still: icecore, gcore, a bare fork", argc, argv);
    return icecore::bench::measure(report);
}
