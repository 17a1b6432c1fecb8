// From a minidump of Windows to all stacks of its 52 threads with function, inlines, file and line
// out of a PDB: the whole program, beside lldb and, where it can be had, Microsoft's own engine.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>

#include "base/text.h"
#include "kit/contest.h"
#include "kit/report.h"
#include "kit/run.h"
#include "support/paths.h"
#include "support/wine.h"

namespace icecore::bench {

namespace {

struct Contender {
    std::string name;
    Command command;
    std::optional<Target> speed, memory;  ///< of ours against it
};

class WindowsStacks {
public:
    explicit WindowsStacks(Report& report)
        : report_(report), program_(tests::target("windows/crash.exe")) {}

    /// Wine runs the program and writes the dump.
    bool makeDump() {
        if (!std::filesystem::exists(program_) || !wine_.available()) {
            report_.failure("clang-19, lld-19 and Wine are needed to make the dump");
            return false;
        }
        const std::string arguments = fmt::format("{} null stacks.dmp 0 {}", program_, workers);
        dump_ = wine_.file("stacks.dmp");
        if (wine_.run(arguments) == 0 && std::filesystem::exists(dump_)) return true;
        report_.failure("the program under Wine wrote no dump");
        return false;
    }

    void measure() {
        const std::vector<Contender> all = contenders();
        std::map<std::string, Measured> measured;
        for (int i = 0; i <= report_.runs(); ++i) {
            for (const Contender& contender : all) {
                Measured& here = measured[contender.name];
                if (!here.failure.empty()) continue;
                const Run cost = run(contender.command);
                here.failure = whatIsWrong(cost);
                if (i == 0) continue;  // the run that warms up
                here.seconds.add(cost.seconds);
                here.memory.add(static_cast<double>(cost.peakResident));
            }
        }
        const Measured& ours = measured.at(own);
        if (!ours.failure.empty()) report_.failure(fmt::format("{}: {}", own, ours.failure));
        for (const Contender& contender : all) {
            const Measured& theirs = measured.at(contender.name);
            if (contender.name == own) continue;
            report_.add({.what = fmt::format("{} threads' stacks", workers + 3),
                         .state = "warm",
                         .ours = ours.failure.empty() ? ours.seconds : Samples(),
                         .peer = contender.name,
                         .theirs = theirs.failure.empty() ? theirs.seconds : Samples(),
                         .remark = theirs.failure,
                         .target = contender.speed});
            if (!theirs.failure.empty()) continue;
            report_.add({.what = "peak memory",
                         .state = "warm",
                         .unit = Unit::bytes,
                         .ours = ours.memory,
                         .peer = contender.name,
                         .theirs = theirs.memory,
                         .target = contender.memory});
        }
    }

private:
    static constexpr int workers = 50;
    static constexpr const char* own = "icecore open";

    std::vector<Contender> contenders() {
        const std::string folder = std::filesystem::path(program_).parent_path();
        const std::string path = folder + ";" + tests::Wine::libraries();
        const Target five{Target::Kind::peerAtLeast, 5}, ten{Target::Kind::peerAtLeast, 10};
        const Target quarter{Target::Kind::peerAtMost, 0.25};
        std::vector<Contender> all{
            {own,
             {tests::program(), "open", "--symbols", path, dump_, "-c", "~*k;q"},
             std::nullopt,
             std::nullopt},
            {"icecore analyze",
             {tests::program(), "analyze", "--json", "--symbols", path, dump_},
             std::nullopt,
             std::nullopt}};
        if (const std::string lldb = firstInstalled({"lldb-14", "lldb"}); !lldb.empty()) {
            all.push_back({versionOf(lldb),
                           {lldb, "--no-lldbinit", "-b", "-o",
                            "settings append target.exec-search-paths " + folder, "-o",
                            "settings append target.exec-search-paths " + tests::Wine::libraries(),
                            "-o", fmt::format("target create --core {} {}", dump_, program_), "-o",
                            "thread backtrace all"},
                           five,
                           quarter});
        } else {
            report_.note("lldb is not installed: not compared");
        }
        // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment
        if (const char* engine = std::getenv("ICECORE_DBGENG")) {
            all.push_back(
                {"dbgeng under Wine",
                 {"env", "SYMPATH=" + folder, "IMGPATH=" + folder, engine, "dbg", dump_, "~*k"},
                 ten,
                 std::nullopt});
        } else {
            report_.note("$ICECORE_DBGENG names no program that runs dbgeng: not compared");
        }
        return all;
    }

    /// A tool that names fewer threads' function has not done the job.
    [[nodiscard]] static std::string whatIsWrong(const Run& cost) {
        const std::size_t found = occurrences(cost.output, "waitInDepth");
        if (found < static_cast<std::size_t>(workers)) {
            return fmt::format("named the waiting function {} times for {} threads; status {}",
                               found, workers, cost.status);
        }
        return {};
    }

    Report& report_;
    std::string program_, dump_;
    tests::Wine wine_;
};

}  // namespace

}  // namespace icecore::bench

int main(int argc, char** argv) {
    icecore::bench::Report report(
        "windows_stacks",
        "All stacks of a Windows minidump with names, inlines and lines: icecore, lldb, dbgeng",
        argc, argv);
    icecore::bench::WindowsStacks bench(report);
    if (bench.makeDump()) bench.measure();
    return report.finish();
}
