// A PDB of 1 GiB: from the start of the program to the first answer (function, inlined call, line),
// what it takes in memory, answers by the ten thousand, and an index of everything.
#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <random>

#include "base/text.h"
#include "kit/big_pdb.h"
#include "kit/report.h"
#include "kit/run.h"
#include "support/paths.h"
#include "symbols/pdb/pdb_file.h"

namespace icecore::bench {

namespace {

class PdbLookup {
public:
    explicit PdbLookup(Report& report)
        : report_(report), scratch_(report.directory()), path_(scratch_ / "big.pdb") {}

    bool make() {
        const std::uint64_t bytes = report_.quick() ? 16U << 20 : std::uint64_t{1} << 30;
        const auto made = writeBigPdb(path_, bytes);
        if (!made) {
            report_.failure(made.error().describe());
            return false;
        }
        pdb_ = *made;
        if (pdb_.bytes < bytes) {
            report_.failure(fmt::format("made {} bytes instead of {}", pdb_.bytes, bytes));
            return false;
        }
        report_.note(fmt::format("made: {}, {} functions, each with an inlined call and 8 lines",
                                 humanBytes(pdb_.bytes), pdb_.functions));
        return true;
    }

    /// Whole processes, each with another address.
    void firstAnswer() {
        Samples seconds, memory;
        for (int i = 0; i < report_.runs() + 1; ++i) {
            const std::string address = hex(randomAddress());
            const Run one = run({tests::program(), "symbols", "lookup", path_, address});
            if (!one.succeeded || one.output.find("inlined into engine::") == std::string::npos) {
                report_.failure("icecore said: " + one.output.substr(0, 200));
                return;
            }
            if (i == 0) continue;  // the file comes into the page cache
            seconds.add(one.seconds);
            memory.add(static_cast<double>(one.peakResident));
        }
        report_.add({.what = "first answer, whole process",
                     .state = "warm",
                     .unit = Unit::seconds,
                     .ours = seconds,
                     .target = Target{Target::Kind::valueBelow, 0.05}});
        report_.add({.what = "peak resident of it",
                     .state = "warm",
                     .unit = Unit::bytes,
                     .ours = memory,
                     .target = Target{Target::Kind::valueBelow, 100.0 * (1 << 20)}});
    }

    /// Addresses all over the file, through the program's standard input.
    void manyAnswers() {
        constexpr int count = 50'000;
        const std::string list = scratch_ / "addresses";
        {
            std::ofstream out(list);
            for (int i = 0; i < count; ++i)
                out << hex(randomAddress()) << '\n';
        }
        Samples seconds;
        for (int i = 0; i < report_.runs(); ++i) {
            const Run one = run({"sh", "-c",
                                 fmt::format("'{}' symbols lookup '{}' < '{}' > '{}'",
                                             tests::program(), path_, list, scratch_ / "out")});
            if (!one.succeeded) {
                report_.failure("icecore said: " + one.output.substr(0, 200));
                return;
            }
            seconds.add(one.seconds);
        }
        report_.add({.what = "50 000 random addresses, whole process",
                     .state = "warm",
                     .unit = Unit::seconds,
                     .ours = seconds,
                     .remark = "tens of thousands a second",
                     .target = Target{Target::Kind::valueBelow, 5.0}});
    }

    void wholeIndex() {
        Samples seconds;
        for (int i = 0; i < report_.runs() + 1; ++i) {
            const auto source = openMappedFile(path_);
            const auto begin = std::chrono::steady_clock::now();
            const auto file =
                source
                    ? pdb::PdbFile::open(*source)
                    : Result<std::shared_ptr<const pdb::PdbFile>>(std::unexpected(source.error()));
            if (!file) {
                report_.failure(file.error().describe());
                return;
            }
            const auto totals = (*file)->countAll();
            const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
            if (totals.publics != pdb_.functions || totals.functions != pdb_.functions) {
                report_.failure(fmt::format("{} publics and {} functions of {}", totals.publics,
                                            totals.functions, pdb_.functions));
                return;
            }
            constexpr double gigabyte = 1e9;
            if (i != 0) seconds.add(took.count() / (static_cast<double>(totals.bytes) / gigabyte));
        }
        report_.add({.what = "publics and procedures, per GB touched",
                     .state = "warm",
                     .unit = Unit::seconds,
                     .ours = seconds,
                     .target = Target{Target::Kind::valueBelow, 1.0}});
    }

private:
    /// In the part of a function that has an inlined call.
    std::uint32_t randomAddress() {
        std::uniform_int_distribution<std::uint32_t> function(
            0, static_cast<std::uint32_t>(pdb_.functions - 1));
        return pdb_.firstAddress + function(random_) * pdb_.functionSize + pdb_.inlinedFrom + 3;
    }

    Report& report_;
    ScratchDirectory scratch_;
    std::string path_;
    BigPdb pdb_;
    std::mt19937 random_{7};
};

}  // namespace

}  // namespace icecore::bench

int main(int argc, char** argv) {
    using namespace icecore::bench;
    Report report("pdb_lookup", "Reading a large PDB.", argc, argv);
    PdbLookup bench(report);
    if (bench.make()) {
        if (report.wants("first")) bench.firstAnswer();
        if (report.wants("many")) bench.manyAnswers();
        if (report.wants("index")) bench.wholeIndex();
    }
    return report.finish();
}
