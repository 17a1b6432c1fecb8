// From a core on the disk to all stacks of its 100 threads with function, inlines, file and line:
// the whole program, from its start to its end, beside gdb, lldb and eu-stack on the same core.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "base/text.h"
#include "kit/contest.h"
#include "kit/icecore.h"
#include "kit/report.h"
#include "kit/run.h"
#include "support/paths.h"

namespace icecore::bench {

namespace {

struct Contender {
    std::string name;
    Command command;
    std::optional<Target> target;  ///< of ours against it
};

class ReadStacks {
public:
    explicit ReadStacks(Report& report)
        : report_(report),
          scratch_(report.directory()),
          threads_(report.quick() ? 10 : 100),
          program_(tests::target("bench_stacks")) {}

    bool makeCore() {
        tests::Victim victim("bench_stacks", {std::to_string(threads_)});
        if (const auto said = ready(victim); !said) {
            report_.failure(said.error().describe());
            return false;
        }
        core_ = scratch_ / "icecore.core";
        const auto result = dump(victim, core_, {});
        if (result) {
            report_.note(
                "the core is one of `icecore dump`, with what the kernel keeps by default");
            return true;
        }
        // Reading can be measured without our own capture.
        core_ = scratch_ / ("gcore." + std::to_string(victim.pid()));
        if (run({"gcore", "-o", scratch_ / "gcore", std::to_string(victim.pid())}).succeeded) {
            report_.note("the core is one of gcore: " + result.error().describe());
            return true;
        }
        report_.failure(result.error().describe());
        return false;
    }

    void measure(bool cold) {
        const std::string state = cold ? "cold" : "warm";
        const std::vector<Contender> all = contenders();
        std::map<std::string, Measured> measured;
        for (int i = 0; i < report_.runs() + (cold ? 0 : 1); ++i) {
            for (const Contender& contender : all) {
                Measured& here = measured[contender.name];
                if (!here.failure.empty()) continue;
                if (cold) coldHow_ = makeCold({core_, program_});
                const Run cost = run(contender.command);
                here.failure = whatIsWrong(cost);
                if (!cold && i == 0) continue;  // the run that warms up
                here.seconds.add(cost.seconds);
                here.memory.add(static_cast<double>(cost.peakResident));
            }
        }
        if (cold) report_.note("cold: " + coldHow_ + " before every run");
        show(all, measured, state);
    }

private:
    std::vector<Contender> contenders() {
        const Target five{Target::Kind::peerAtLeast, 5}, three{Target::Kind::peerAtLeast, 3};
        std::vector<Contender> all{
            {"icecore open", {tests::program(), "open", core_, "-c", "~*k;q"}, std::nullopt},
            {"icecore analyze", {tests::program(), "analyze", "--json", core_}, std::nullopt}};
        if (installed("gdb")) {
            all.push_back({version("gdb"),
                           {"gdb", "-nx", "-batch", "-ex", "thread apply all bt", program_, core_},
                           five});
        } else {
            report_.note("gdb is not installed: not compared");
        }
        if (const std::string lldb = firstInstalled({"lldb-14", "lldb"}); !lldb.empty()) {
            all.push_back(
                {version(lldb),
                 {lldb, "--no-lldbinit", "-b", "-c", core_, "-o", "thread backtrace all", program_},
                 three});
        } else {
            report_.note("lldb is not installed: not compared");
        }
        if (installed("eu-stack")) {
            const std::string name = version("eu-stack");
            all.push_back(
                {name + " -i -s", {"eu-stack", "-i", "-s", "-n", "0", "--core", core_}, three});
            all.push_back({name, {"eu-stack", "-n", "0", "--core", core_}, three});
        } else {
            report_.note("eu-stack is not installed: not compared");
        }
        return all;
    }

    std::string version(const std::string& program) {
        const auto [found, isNew] = versions_.try_emplace(program);
        if (isNew) found->second = versionOf(program);
        return found->second;
    }

    /// A tool that shows fewer stacks than there are threads has not done the job. The leaf must be
    /// named in each: it is where every thread stands.
    [[nodiscard]] std::string whatIsWrong(const Run& cost) const {
        if (!cost.succeeded && cost.output.size() < 1000)
            return fmt::format("status {}: {}", cost.status, printable(trim(cost.output)));
        const std::size_t leaves = occurrences(cost.output, "bench_leaf");
        if (leaves < static_cast<std::size_t>(threads_))
            return fmt::format("named the innermost function of {} of {} threads", leaves,
                               threads_);
        return {};
    }

    void show(const std::vector<Contender>& all, const std::map<std::string, Measured>& measured,
              const std::string& state) {
        const Measured& ours = measured.at("icecore open");
        if (!ours.failure.empty()) report_.failure("icecore open: " + ours.failure);
        for (const Contender& contender : all) {
            const Measured& theirs = measured.at(contender.name);
            if (contender.name == "icecore open") continue;
            Row row{.what = fmt::format("{} threads' stacks", threads_),
                    .state = state,
                    .ours = ours.failure.empty() ? ours.seconds : Samples(),
                    .peer = contender.name,
                    .theirs = theirs.failure.empty() ? theirs.seconds : Samples(),
                    .remark = theirs.failure,
                    .target = contender.target};
            report_.add(std::move(row));
        }
        if (state == "cold") return;
        for (const Contender& contender : all) {
            const Measured& theirs = measured.at(contender.name);
            if (contender.name == "icecore open" || !theirs.failure.empty()) continue;
            report_.add({.what = "peak memory",
                         .state = state,
                         .unit = Unit::bytes,
                         .ours = ours.memory,
                         .peer = contender.name,
                         .theirs = theirs.memory});
        }
    }

    Report& report_;
    ScratchDirectory scratch_;
    int threads_;
    std::string program_, core_, coldHow_;
    std::map<std::string, std::string> versions_;
};

int measure(Report& report) {
    ReadStacks bench(report);
    if (bench.makeCore()) {
        if (report.wants("warm")) bench.measure(false);
        if (report.wants("cold")) bench.measure(true);
    }
    return report.finish();
}

}  // namespace

}  // namespace icecore::bench

int main(int argc, char** argv) {
    icecore::bench::Report report(
        "read_stacks",
        "All stacks of a core with names, inlines and lines: icecore, gdb, lldb, eu-stack", argc,
        argv);
    return icecore::bench::measure(report);
}
