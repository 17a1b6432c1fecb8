// What do large images and zero pages cost? The peak of resident memory for images of any size, and
// time and bytes of pages that are zero, which are really there and have to be looked at.
#include <fmt/format.h>

#include <utility>

#include "base/text.h"
#include "kit/images.h"
#include "kit/memory_image.h"
#include "kit/report.h"

namespace icecore::bench {

namespace {

constexpr double mebibyte = 1 << 20;
constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;
constexpr Target bounded{Target::Kind::valueBelow, 256 * mebibyte};

class Costs {
public:
    explicit Costs(Report& report)
        : report_(report),
          scratch_(report.directory()),
          bytes_(report.quick() ? gibibyte / 16 : 2 * gibibyte) {}

    /// Every format, from both verbs: written from an image, and read again.
    Result<void> memory() {
        const std::string image = scratch_ / "image.raw";
        TRY(writeImage(image, bytes_, Content::mixed));
        TRY(peaks(image, humanBytes(bytes_) + ", full"));
        settle(image);
        for (const std::uint64_t size : {16 * gibibyte, 128 * gibibyte}) {
            // The second has a page in each 8 MiB: nearly all of it holes.
            TRY(writeSparseImage(image, report_.quick() ? size / 16 : size,
                                 size > 16 * gibibyte ? 8U << 20 : 64U << 10));
            TRY(peaks(image, humanBytes(fileBytes(image)) + ", sparse"));
            settle(image);
        }
        return {};
    }

    Result<void> zeros() {
        TRY(zerosIn("aff4", {"convert", "IN", "OUT"}));
        TRY(zerosIn("kdump", {"convert", "IN", "OUT", "--compress", "zstd"}));
        TRY(zerosIn("elf", {"convert", "IN", "OUT"}));
        TRY(zerosIn("raw", {"convert", "IN", "OUT"}));
        return {};
    }

private:
    Result<void> peaks(const std::string& image, const std::string& what) {
        for (const std::string_view format : {"raw", "lime", "avml", "elf", "aff4", "kdump"}) {
            const std::string out = scratch_ / fmt::format("out.{}", format);
            settle(out);
            Row row{.what = fmt::format("peak memory, {} → {}", what, format),
                    .unit = Unit::bytes,
                    .target = bounded};
            ASSIGN_OR_RETURN(const Run there, icecore({"convert", image, out}));
            row.ours.add(static_cast<double>(there.peakResident));
            row.remark = fmt::format("{}, file of {}", text(there.seconds, Unit::seconds),
                                     humanBytes(allocatedBytes(out)));
            const std::string back = scratch_ / "back.raw";
            settle(back);
            Row reading{.what = fmt::format("peak memory, {}, {} → raw", what, format),
                        .unit = Unit::bytes,
                        .target = bounded};
            ASSIGN_OR_RETURN(const Run again, icecore({"convert", out, back}));
            reading.ours.add(static_cast<double>(again.peakResident));
            reading.remark = text(again.seconds, Unit::seconds);
            settle(back);
            settle(out);
            report_.add(std::move(row));
            report_.add(std::move(reading));
        }
        return {};
    }

    /// Beside merely reading them, and beside the same of random content.
    Result<void> zerosIn(std::string_view format, const std::vector<std::string>& arguments) {
        const std::string full = scratch_ / "full.raw", most = scratch_ / "zero90.raw",
                          all = scratch_ / "zero.raw";
        if (fileBytes(full) == 0) {
            TRY(writeImage(full, bytes_, Content::random));
            TRY(writeImage(most, bytes_, Content::zero90));
            TRY(writeImage(all, bytes_, Content::zero));
        }
        const std::string out = scratch_ / fmt::format("out.{}", format);
        const auto convert = [&](const std::string& in) {
            settle(out);
            std::vector<std::string> words = arguments;
            for (std::string& word : words)
                word = word == "IN" ? in : word == "OUT" ? out : word;
            return icecore(words);
        };
        Row ninety{.what = fmt::format("90 % zero → {}", format), .peer = "random content"};
        Row hundred{.what = fmt::format("100 % zero → {}", format), .peer = "dd of=/dev/null"};
        Row ninetyBytes{.what = fmt::format("90 % zero → {}: file / image", format),
                        .unit = Unit::ratio,
                        .target = Target{Target::Kind::valueBelow, 0.11}};
        Row hundredBytes{.what = fmt::format("100 % zero → {}: file / image", format),
                         .unit = Unit::ratio,
                         .target = Target{Target::Kind::valueBelow, 0.01}};
        const auto share = [&] {
            return static_cast<double>(allocatedBytes(out)) / static_cast<double>(bytes_);
        };
        for (int i = 0; i < report_.runs(); ++i) {
            ASSIGN_OR_RETURN(const Run one, convert(full));
            ninety.theirs.add(one.seconds);
            ASSIGN_OR_RETURN(const Run two, convert(most));
            ninety.ours.add(two.seconds);
            ninetyBytes.ours.add(share());
            ASSIGN_OR_RETURN(const Run three, convert(all));
            hundred.ours.add(three.seconds);
            hundredBytes.ours.add(share());
            ASSIGN_OR_RETURN(const Run read, succeed({"dd", "if=" + all, "of=/dev/null", "bs=1M"}));
            hundred.theirs.add(read.seconds);
        }
        settle(out);
        for (Row* row : {&ninety, &ninetyBytes, &hundred, &hundredBytes})
            report_.add(std::move(*row));
        return {};
    }

    Report& report_;
    ScratchDirectory scratch_;
    std::uint64_t bytes_;
};

int measure(Report& report) {
    Costs costs(report);
    const auto part = [&](std::string_view name, auto&& work) {
        if (!report.wants(name)) return;
        if (const Result<void> done = work(); !done) report.failure(done.error().describe());
    };
    part("memory", [&] { return costs.memory(); });
    part("zeros", [&] { return costs.zeros(); });
    return report.finish();
}

}  // namespace

}  // namespace icecore::bench

int main(int argc, char** argv) {
    icecore::bench::Report report(
        "ram_costs", "Memory that images of any size need, and what zero pages cost", argc, argv);
    return icecore::bench::measure(report);
}
