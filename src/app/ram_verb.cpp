// `icecore ram`: acquire a machine's physical memory.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/image_report.h"
#include "app/output.h"
#include "app/progress_bar.h"
#include "app/ram_report.h"
#include "app/ram_take.h"
#include "app/report.h"
#include "app/terminal.h"
#include "app/verbs.h"
#include "base/text.h"
#include "formats/image/image.h"

namespace icecore::app {

namespace {

struct RamWords {
    std::string format, compress, progress = "auto";
    std::vector<std::string> holes;
    double rate = 0;
    bool plan = false, noHash = false, noBlockHashes = false, cached = false, json = false;
};

Result<std::vector<Range>> parseHoles(const std::vector<std::string>& words) {
    std::vector<Range> holes;
    for (const std::string& word : words) {
        const auto ends = split(word, '-');
        const auto begin = ends.size() == 2 ? parseNumber(ends[0]) : std::nullopt;
        const auto end = ends.size() == 2 ? parseNumber(ends[1]) : std::nullopt;
        if (!begin || !end || *begin >= *end)
            return fail(Errc::usage, "--hole takes BEGIN-END, as 0xc0000000-0x100000000");
        holes.push_back(Range::between(*begin, *end));
    }
    return holes;
}

/// By --format, else by the extension of the output. A plan needs none.
Result<const Format*> chooseFormat(const std::string& word, const std::string& output) {
    const Format* format = nullptr;
    if (!word.empty()) {
        format = imageFormatByWord(word);
        if (format == nullptr)
            return fail(Errc::usage, "--format: no format is called `" + word + "`");
        if (format->writeImage == nullptr)
            return fail(Errc::usage,
                        fmt::format("{} cannot hold the memory of a machine", format->description));
        return format;
    }
    format = imageFormatByExtension(output);
    if (format == nullptr)
        return fail(Errc::usage, "the name of the output tells no format: give --format");
    return format;
}

class RamVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.add_option("-o,--output", task_.output,
                           "file, block device, - for standard output, tcp://HOST:PORT or "
                           "tls://HOST:PORT");
        command.add_option("--cacert", task_.caCertificates,
                           "certificates (PEM) that tls:// trusts, in place of the system's");
        command.add_option(
            "-f,--format", words_.format,
            "raw, joined, lime, avml, elf, kdump…; else the extension of -o decides");
        command.add_option("--compress", words_.compress,
                           "none, deflate, zlib, lzo, snappy, lz4 or zstd, where the format knows "
                           "it");
        command
            .add_option("--stripe", task_.volumes.stripes,
                        "a further file, for aff4: the image is shared out among them "
                        "(repeatable)")
            ->allow_extra_args(false);
        command.add_option("--split", task_.volumes.split,
                           "how long a file may be, for aff4: OUTPUT, OUTPUT_2, … as many as it "
                           "takes");
        command.add_option("--source", task_.source,
                           "auto, kcore, crash, mem, qmp:SOCKET (a guest of QEMU), or a file or "
                           "device that holds memory");
        command.add_option("--hole", words_.holes,
                           "BEGIN-END, addresses that such a file leaves out (repeatable)");
        command.add_flag("--live", task_.live, "do not pause the guest");
        command.add_flag("--plan", words_.plan, "tell source and ranges, and read nothing");
        command.add_flag("--resume", task_.resume, "go on where an acquisition was interrupted");
        command.add_option("--rate", words_.rate, "read at most so many MB (10^6) each second");
        command.add_flag("--no-hash", words_.noHash, "compute no hashes for the manifest");
        command.add_flag("--no-block-hashes", words_.noBlockHashes, noBlockHashesHelp);
        command.add_option("--manifest", task_.manifest,
                           "where to write the record of the acquisition; default: OUTPUT.json");
        command.add_flag("--cached", words_.cached, "write through the page cache, not O_DIRECT");
        command.add_option("--threads", task_.threads, "how many compress at once");
        command.add_flag("--overwrite", task_.overwrite,
                         "replace an existing file; write to a block device");
        command.add_flag("--force", task_.force, "even if the disk is too small or is memory");
        command.add_flag("--json", words_.json, "the result as one JSON document");
        command.add_option("--progress", words_.progress, "auto, bar, plain or none");
    }

    [[nodiscard]] int run() override {
        const auto style = progressStyle(words_.progress);
        if (const auto understood = understand(style.has_value()); !understood) {
            printError("ram", understood.error());
            return usage;
        }
        std::vector<ram::Attempt> attempts;
        auto source = openSourceOf(task_, attempts);
        if (!source) {
            printError(task_.source == "auto" ? "ram" : task_.source, source.error());
            return failed;
        }
        if (words_.plan) {
            printPlan(task_, *source, attempts, words_.json);
            return done;
        }
        const SignalGuard signals;
        ProgressBar progress(*style);
        const auto manifest = takeRam(task_, *std::move(source), progress);
        progress.end();
        if (!manifest) {
            printError(task_.output, manifest.error());
            return failed;
        }
        printTaken(task_, *manifest, words_.json);
        return manifest->unreadBytes > 0 || manifest->issues.lossy() ? doneWithLosses : done;
    }

private:
    Result<void> understand(bool style) {
        if (!style) return fail(Errc::usage, "--progress takes auto, bar, plain or none");
        if (task_.output.empty() && !words_.plan) return fail(Errc::usage, "-o is needed");
        if (words_.json && task_.output == "-")
            return fail(Errc::usage, "--json and -o - both need standard output");
        if (words_.rate < 0 || words_.rate > 1e9)
            return fail(Errc::usage, "--rate takes megabytes each second");
        task_.bytesPerSecond = static_cast<std::uint64_t>(words_.rate * 1e6);
        if (words_.rate > 0 && task_.bytesPerSecond == 0) task_.bytesPerSecond = 1;
        task_.hash = !words_.noHash;
        task_.direct = !words_.cached;
        ASSIGN_OR_RETURN(task_.holes, parseHoles(words_.holes));
        if (words_.plan && words_.format.empty() && imageFormatByExtension(task_.output) == nullptr)
            return {};
        ASSIGN_OR_RETURN(task_.format, chooseFormat(words_.format, task_.output));
        ASSIGN_OR_RETURN(task_.codec, chooseCodec(*task_.format, words_.compress));
        TRY(canLeaveOutHashes(*task_.format, words_.noBlockHashes));
        task_.blockHashes = !words_.noBlockHashes;
        if (!task_.volumes.several()) return {};
        if (task_.resume)
            return fail(Errc::usage,
                        "--resume goes on with one file, not with several volumes: what was "
                        "interrupted left none");
        const auto plan = VolumeFiles::plan(task_.output, *task_.format, task_.volumes, {});
        if (!plan && plan.error().code == Errc::usage) return std::unexpected(plan.error());
        return {};
    }

    RamTask task_;
    RamWords words_;
};

}  // namespace

std::unique_ptr<VerbRun> makeRamVerb() {
    return std::make_unique<RamVerb>();
}

}  // namespace icecore::app
