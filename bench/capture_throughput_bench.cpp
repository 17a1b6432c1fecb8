// How fast is a full dump written, how much memory does icecore need for it, and how large is the
// file? Beside dd, which writes the very same bytes to the same disk under the same condition: both
// end when the disk has them (icecore syncs before it renames, dd is told conv=fsync). dd reads
// them from the page cache.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/text.h"
#include "kit/icecore.h"
#include "kit/report.h"
#include "kit/run.h"

namespace icecore::bench {

namespace {

constexpr double mebibyte = 1 << 20;

class Throughput {
public:
    explicit Throughput(Report& report)
        : report_(report),
          scratch_(report.directory()),
          size_(report.quick() ? 64 : 2048),
          core_(scratch_ / "icecore.core"),
          copy_(scratch_ / "copy.core") {}

    void randomContent() {
        tests::Victim victim("bench_memory", {std::to_string(size_), "0", "random"});
        const auto resident = ready(victim);
        if (!resident) return report_.failure(resident.error().describe());
        Row time{.what = "full dump, random content",
                 .peer = "dd",
                 .target = Target{Target::Kind::peerAtMost, 1.3}};
        Row memory{.what = "icecore's peak memory",
                   .unit = Unit::bytes,
                   .target = Target{Target::Kind::valueBelow, 64 * mebibyte}};
        if (installed("dd")) {
            time.peer = versionOf("dd");
        } else {
            time.remark = "dd is not installed: nothing to compare with";
        }
        for (int i = 0; i < report_.runs(); ++i) {
            settle(core_);
            const auto ours = dump(victim, core_, {"--type", "full"});
            if (!ours) return report_.failure(ours.error().describe());
            time.ours.add(ours->cost.seconds);
            memory.ours.add(static_cast<double>(ours->cost.peakResident));
            if (!time.remark.empty()) continue;
            settle(copy_);
            const Run theirs = run({"dd", "if=" + core_, "of=" + copy_, "bs=1M", "conv=fsync"});
            if (!theirs.succeeded) return report_.failure("dd: " + theirs.output);
            time.theirs.add(theirs.seconds);
        }
        const double rate = static_cast<double>(fileBytes(core_)) / time.ours.median();
        if (time.remark.empty()) time.remark = text(rate, Unit::bytesPerSecond);
        report_.add(std::move(time));
        report_.add(std::move(memory));
    }

    void mostlyZero() {
        tests::Victim victim("bench_memory", {std::to_string(size_), "0", "zero90"});
        const auto resident = ready(victim);
        if (!resident) return report_.failure(resident.error().describe());
        const double bytes = 1024.0 * static_cast<double>(parseDecimal(*resident).value_or(0));
        Row size{.what = "90 % zero: file's blocks / resident",
                 .unit = Unit::ratio,
                 .target = Target{Target::Kind::valueBelow, 0.15}};
        Row time{.what = "90 % zero: full dump"};
        if (installed("gcore")) size.peer = time.peer = versionOf("gcore");
        const std::string theirs = scratch_ / ("gcore." + std::to_string(victim.pid()));
        for (int i = 0; i < report_.runs(); ++i) {
            settle(core_);
            const auto ours = dump(victim, core_, {"--type", "full"});
            if (!ours) return report_.failure(ours.error().describe());
            time.ours.add(ours->cost.seconds);
            size.ours.add(static_cast<double>(allocatedBytes(core_)) / bytes);
            if (size.peer.empty()) continue;
            settle(theirs);
            const Run peer = run({"gcore", "-o", scratch_ / "gcore", std::to_string(victim.pid())});
            if (!peer.succeeded) return report_.failure("gcore: " + peer.output);
            sync();
            time.theirs.add(peer.seconds);
            size.theirs.add(static_cast<double>(allocatedBytes(theirs)) / bytes);
            std::filesystem::remove(theirs);
        }
        if (size.peer.empty()) size.remark = "gcore is not installed: nothing to compare with";
        time.remark = "gcore's time is without a sync, icecore's with one";
        report_.add(std::move(size));
        report_.add(std::move(time));
    }

    void compressed() {
        tests::Victim victim("bench_memory", {std::to_string(size_), "0", "mixed"});
        const auto resident = ready(victim);
        if (!resident) return report_.failure(resident.error().describe());
        const std::string ours = core_ + ".zst", theirs = copy_ + ".zst";
        if (auto plain = dump(victim, core_, {"--type", "full"}); !plain)
            return report_.failure(plain.error().describe());
        Row time{.what = "--compress zstd, heap-like content"};
        Row size{.what = "--compress zstd: file / plain core", .unit = Unit::ratio};
        Row memory{.what = "--compress zstd: peak memory",
                   .unit = Unit::bytes,
                   .target = Target{Target::Kind::valueBelow, 64 * mebibyte}};
        const bool peer = installed("zstd");
        if (peer) size.peer = time.peer = versionOf("zstd") + " -T0";
        const double plain = static_cast<double>(fileBytes(core_));
        for (int i = 0; i < report_.runs(); ++i) {
            settle(ours);
            const auto result = dump(victim, ours, {"--type", "full", "--compress", "zstd"});
            if (!result) return report_.failure(result.error().describe());
            time.ours.add(result->cost.seconds);
            size.ours.add(static_cast<double>(fileBytes(ours)) / plain);
            memory.ours.add(static_cast<double>(result->cost.peakResident));
            std::filesystem::remove(ours);
            if (!peer) continue;
            settle(theirs);
            const Run cost = run({"zstd", "-q", "-f", "-T0", core_, "-o", theirs});
            if (!cost.succeeded) return report_.failure("zstd: " + cost.output);
            time.theirs.add(cost.seconds);
            size.theirs.add(static_cast<double>(fileBytes(theirs)) / plain);
            std::filesystem::remove(theirs);
        }
        time.remark = peer ? "zstd compresses the finished core from the page cache, without a sync"
                           : "zstd is not installed: nothing to compare with";
        report_.add(std::move(time));
        report_.add(std::move(size));
        report_.add(std::move(memory));
    }

private:
    /// Nobody pays for the writing of someone else, nor for removing a file that is replaced.
    void settle(const std::string& replaced) {
        std::filesystem::remove(replaced);
        sync();
    }

    Report& report_;
    ScratchDirectory scratch_;
    int size_;  // MiB
    std::string core_, copy_;
};

int measure(Report& report) {
    Throughput throughput(report);
    report.note(fmt::format("{} resident; until the disk has it (icecore syncs, dd conv=fsync)",
                            report.quick() ? "64 MiB" : "2 GiB"));
    if (report.wants("random")) throughput.randomContent();
    if (report.wants("zero")) throughput.mostlyZero();
    if (report.wants("compress")) throughput.compressed();
    return report.finish();
}

}  // namespace

}  // namespace icecore::bench

int main(int argc, char** argv) {
    icecore::bench::Report report(
        "capture_throughput", "Speed, memory and file size of full dumps: icecore, dd, gcore, zstd",
        argc, argv);
    return icecore::bench::measure(report);
}
