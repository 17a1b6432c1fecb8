// How fast are images of memory converted and taken? Beside dd, which writes the very same bytes to
// the same disk: both read them from the page cache, and both end when the disk has them.
// Compression beside zstd and lz4, and what a second thread gives.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "base/text.h"
#include "kit/images.h"
#include "kit/memory_image.h"
#include "kit/report.h"
#include "support/paths.h"

namespace icecore::bench {

namespace {

/// 85 % of what dd does.
constexpr Target nearlyDd{Target::Kind::peerAtMost, 1 / 0.85};
constexpr Target gigabyteEachSecond{Target::Kind::valueAbove, 1e9};

struct Entry {
    std::string what;
    std::vector<std::string> arguments;  ///< of icecore; "IN" and "OUT" stand for the files
    std::string extension;
    bool besideDd = true;  ///< false: shown beside it, for what it does on top
};

const std::vector<Entry> conversions = {
    {"convert raw → raw", {"convert", "IN", "OUT"}, ".raw"},
    {"convert raw → lime", {"convert", "IN", "OUT"}, ".lime"},
    {"convert raw → elf", {"convert", "IN", "OUT"}, ".elf"},
    {"convert raw → aff4 (SHA-256 of chunks)", {"convert", "IN", "OUT"}, ".aff4"},
};
const std::vector<Entry> acquisitions = {
    {"ram → raw, hashed", {"ram", "--source", "IN", "-o", "OUT"}, ".raw"},
    {"ram → lime, hashed", {"ram", "--source", "IN", "-o", "OUT"}, ".lime"},
    {"ram → elf, hashed", {"ram", "--source", "IN", "-o", "OUT"}, ".elf"},
    {"ram → aff4, hashed", {"ram", "--source", "IN", "-o", "OUT", "--no-block-hashes"}, ".aff4"},
    {"ram → aff4, and SHA-256 of chunks", {"ram", "--source", "IN", "-o", "OUT"}, ".aff4", false},
};

class Speed {
public:
    explicit Speed(Report& report)
        : report_(report),
          scratch_(report.directory()),
          bytes_(std::uint64_t{report.quick() ? 64U : 2048U} << 20),
          random_(scratch_ / "random.raw"),
          mixed_(scratch_ / "mixed.raw"),
          copy_(scratch_ / "copy.raw") {}

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

    Result<void> besideDd(const std::vector<Entry>& entries) {
        TRY(have(random_, Content::random));
        std::vector<Row> rows;
        rows.reserve(entries.size());
        for (const Entry& entry : entries)
            rows.push_back({.what = entry.what,
                            .target = entry.besideDd ? std::optional(nearlyDd) : std::nullopt});
        Samples buffered, direct;
        for (int i = 0; i < report_.runs(); ++i) {
            TRY(timeDd(buffered, direct));
            for (std::size_t k = 0; k < entries.size(); ++k) {
                ASSIGN_OR_RETURN(const Run run, timed(entries[k], random_));
                rows[k].ours.add(run.seconds);
            }
        }
        const bool directIsFaster = direct.median() < buffered.median();
        for (Row& row : rows) {
            row.peer = directIsFaster ? "dd oflag=direct" : "dd conv=fsync";
            row.theirs = directIsFaster ? direct : buffered;
            row.remark = rate(row.ours);
            report_.add(std::move(row));
        }
        report_.note(fmt::format("dd conv=fsync {}, dd oflag=direct {}: the faster one counts",
                                 rate(buffered), rate(direct)));
        return {};
    }

    /// Who has dd hashes what passes with another tool; one hash, where ours has two.
    Result<void> besideHashedDd() {
        TRY(have(random_, Content::random));
        Row row{.what = "ram → raw, SHA-256 and BLAKE3", .peer = "dd | tee | sha256sum"};
        const std::string script =
            R"(dd if="$1" bs=1M status=none | tee "$2" | sha256sum && sync "$2")";
        for (int i = 0; i < report_.runs(); ++i) {
            ASSIGN_OR_RETURN(const Run ours, timed(acquisitions.front(), random_));
            row.ours.add(ours.seconds);
            settle(copy_);
            ASSIGN_OR_RETURN(const Run theirs, succeed({"sh", "-c", script, "sh", random_, copy_}));
            row.theirs.add(theirs.seconds);
            settle(copy_);
        }
        row.remark = rate(row.ours);
        report_.add(std::move(row));
        return {};
    }

    /// There, back, and what the disk gave meanwhile.
    Result<void> roundTrip() {
        for (const auto& [content, name] :
             {std::pair{Content::random, "random"}, {Content::mixed, "heap-like"}}) {
            const std::string& image = content == Content::random ? random_ : mixed_;
            TRY(have(image, content));
            Row there{.what = fmt::format("raw → aff4, {}", name),
                      .unit = Unit::bytesPerSecond,
                      .target = gigabyteEachSecond};
            Row back{.what = fmt::format("aff4 → raw, {}", name),
                     .unit = Unit::bytesPerSecond,
                     .target = gigabyteEachSecond};
            const std::string packed = scratch_ / "there.aff4", again = scratch_ / "back.raw";
            Samples buffered, direct;
            for (int i = 0; i < report_.runs(); ++i) {
                TRY(timeDd(buffered, direct, image));
                settle(packed);
                ASSIGN_OR_RETURN(const Run one, icecore({"convert", image, packed}));
                there.ours.add(size() / one.seconds);
                // As dd reads what it copies: from memory.
                TRY(inMemory(packed));
                settle(again);
                ASSIGN_OR_RETURN(const Run other, icecore({"convert", packed, again}));
                back.ours.add(size() / other.seconds);
                if (i == 0) TRY(succeed({"cmp", image, again}));
                settle(again);
            }
            settle(packed);
            there.remark = back.remark = fmt::format("the disk, by dd: conv=fsync {}, direct {}",
                                                     rate(buffered), rate(direct));
            report_.add(std::move(there));
            report_.add(std::move(back));
        }
        return {};
    }

    Result<void> codecs() {
        TRY(have(mixed_, Content::mixed));
        TRY(beside("kdump zstd", {"convert", "IN", "OUT", "--compress", "zstd"}, ".kdump", "zstd",
                   {"zstd", "-q", "-1", "-T0", "IN", "-o", "OUT"}));
        TRY(beside("aff4 lz4", {"convert", "IN", "OUT", "--compress", "lz4"}, ".aff4", "lz4",
                   {"lz4", "-q", "-1", "IN", "OUT"}));
        TRY(beside("avml snappy", {"convert", "IN", "OUT"}, ".avml", "lz4",
                   {"lz4", "-q", "-1", "IN", "OUT"}));
        report_.note(
            "zstd and lz4 end without a sync, icecore with one; nothing that packs snappy is "
            "installed: lz4 stands for it");
        return {};
    }

    /// One thread on one CPU beside two threads on two.
    Result<void> threads() {
        TRY(have(mixed_, Content::mixed));
        const std::vector<std::pair<std::string, std::string>> kinds = {{".kdump", "zstd"},
                                                                        {".kdump", "zlib"},
                                                                        {".kdump", "snappy"},
                                                                        {".aff4", "lz4"},
                                                                        {".aff4", "snappy"}};
        for (const auto& [extension, codec] : kinds) {
            Row row{.what = fmt::format("{} {}, two threads", extension.substr(1), codec),
                    .peer = "one thread on one CPU"};
            const std::string out = scratch_ / ("out" + extension);
            for (int i = 0; i < report_.runs(); ++i) {
                settle(out);
                ASSIGN_OR_RETURN(const Run two, icecore({"convert", mixed_, out, "--compress",
                                                         codec, "--threads", "2"}));
                row.ours.add(two.seconds);
                settle(out);
                ASSIGN_OR_RETURN(const Run one,
                                 succeed({"taskset", "-c", "0", tests::program(), "convert", mixed_,
                                          out, "--compress", codec, "--threads", "1"}));
                row.theirs.add(one.seconds);
            }
            settle(out);
            row.remark = rate(row.ours);
            report_.add(std::move(row));
        }
        return {};
    }

    /// Each hash that the manifest has, beside the tool that knows only one of them.
    Result<void> verify() {
        TRY(have(random_, Content::random));
        Row row{.what = "verify, raw with its manifest", .peer = "sha256sum"};
        const std::string taken = scratch_ / "taken.raw";
        settle(taken);
        TRY(icecore({"ram", "--source", random_, "-o", taken}));
        for (int i = 0; i < report_.runs(); ++i) {
            TRY(inMemory(taken));
            ASSIGN_OR_RETURN(const Run ours, icecore({"verify", taken}));
            row.ours.add(ours.seconds);
            ASSIGN_OR_RETURN(const Run theirs, succeed({"sha256sum", taken}));
            row.theirs.add(theirs.seconds);
        }
        settle(taken);
        row.remark = rate(row.ours);
        report_.add(std::move(row));
        return {};
    }

private:
    [[nodiscard]] double size() const { return static_cast<double>(bytes_); }
    [[nodiscard]] std::string rate(const Samples& seconds) const {
        return text(size() / seconds.median(), Unit::bytesPerSecond);
    }

    /// The image is made once, and stays in the page cache.
    [[nodiscard]] Result<void> have(const std::string& path, Content content) const {
        if (std::filesystem::exists(path)) return {};
        return writeImage(path, bytes_, content);
    }

    Result<void> timeDd(Samples& buffered, Samples& direct) {
        return timeDd(buffered, direct, random_);
    }
    Result<void> timeDd(Samples& buffered, Samples& direct, const std::string& image) {
        settle(copy_);
        ASSIGN_OR_RETURN(const Run one, succeed(bufferedCopy(image, copy_)));
        buffered.add(one.seconds);
        settle(copy_);
        ASSIGN_OR_RETURN(const Run other, succeed(directCopy(image, copy_)));
        direct.add(other.seconds);
        settle(copy_);
        return {};
    }

    static std::vector<std::string> filled(std::vector<std::string> words, const std::string& in,
                                           const std::string& out) {
        for (std::string& word : words) {
            if (word == "IN") word = in;
            if (word == "OUT") word = out;
        }
        return words;
    }
    Result<Run> timed(const Entry& entry, const std::string& in) {
        const std::string out = scratch_ / ("out" + entry.extension);
        settle(out);
        auto result = icecore(filled(entry.arguments, in, out));
        settle(out);
        return result;
    }

    Result<void> beside(const std::string& what, const std::vector<std::string>& ours,
                        const std::string& extension, const std::string& peer,
                        const std::vector<std::string>& theirs) {
        Row time{.what = what + ", heap-like content"};
        Row packed{.what = what + ": file / image", .unit = Unit::ratio};
        if (installed(peer))
            time.peer = packed.peer = versionOf(peer);
        else
            time.remark = peer + " is not installed: nothing to compare with";
        const std::string out = scratch_ / ("out" + extension), other = scratch_ / "out.packed";
        for (int i = 0; i < report_.runs(); ++i) {
            settle(out);
            ASSIGN_OR_RETURN(const Run run, icecore(filled(ours, mixed_, out)));
            time.ours.add(run.seconds);
            packed.ours.add(static_cast<double>(allocatedBytes(out)) / size());
            settle(out);
            if (time.peer.empty()) continue;
            settle(other);
            ASSIGN_OR_RETURN(const Run peerRun, succeed(filled(theirs, mixed_, other)));
            time.theirs.add(peerRun.seconds);
            packed.theirs.add(static_cast<double>(fileBytes(other)) / size());
            settle(other);
        }
        if (time.remark.empty()) time.remark = rate(time.ours);
        report_.add(std::move(time));
        report_.add(std::move(packed));
        return {};
    }

    Report& report_;
    ScratchDirectory scratch_;
    std::uint64_t bytes_;
    std::string random_, mixed_, copy_;
};

int measure(Report& report) {
    Speed speed(report);
    report.note(fmt::format("images of {}, in the page cache; until the disk has what is written",
                            humanBytes(speed.bytes())));
    const auto part = [&](std::string_view name, auto&& work) {
        if (!report.wants(name)) return;
        if (const Result<void> done = work(); !done) report.failure(done.error().describe());
    };
    part("convert", [&] { return speed.besideDd(conversions); });
    part("acquire", [&] { return speed.besideDd(acquisitions); });
    part("hashed", [&] { return speed.besideHashedDd(); });
    part("roundtrip", [&] { return speed.roundTrip(); });
    part("codecs", [&] { return speed.codecs(); });
    part("threads", [&] { return speed.threads(); });
    part("verify", [&] { return speed.verify(); });
    return report.finish();
}

}  // namespace

}  // namespace icecore::bench

int main(int argc, char** argv) {
    icecore::bench::Report report(
        "ram_speed", "Speed of converting and taking images of memory: icecore, dd, zstd, lz4",
        argc, argv);
    return icecore::bench::measure(report);
}
