// `icecore convert IN OUT`: an image or a dump in another format.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "app/dump_names.h"
#include "app/image_report.h"
#include "app/output.h"
#include "app/progress_bar.h"
#include "app/report.h"
#include "app/terminal.h"
#include "app/verbs.h"
#include "app/volume_files.h"
#include "app/working_memory.h"
#include "base/text.h"
#include "formats/format.h"

namespace icecore::app {

namespace {

struct ConvertOptions {
    std::string input, output, format, compress, caCertificates, progress = "auto";
    VolumeWords volumes;
    int threads = 0;
    bool noBlockHashes = false, overwrite = false, json = false;
};

/// By --format, else by the output's extension. A core of a machine and one of a process share
/// theirs: what was read decides.
Result<const Format*> chooseFormat(const ConvertOptions& options, const Snapshot& snapshot) {
    const Format* format = nullptr;
    if (!options.format.empty()) {
        format =
            snapshot.machine ? imageFormatByWord(options.format) : formatByName(options.format);
        if (format == nullptr)
            return fail(Errc::usage, "--format: no format is called `" + options.format + "`");
    } else {
        format =
            snapshot.machine ? imageFormatByExtension(options.output) : namedFormat(options.output);
        if (format == nullptr)
            return fail(Errc::usage, "the name of the output tells no format: give --format");
    }
    const bool able = snapshot.machine ? format->writeImage != nullptr : format->write != nullptr;
    if (able) return format;
    return fail(Errc::usage, fmt::format("{} cannot hold {}", format->description,
                                         snapshot.machine ? "the memory of a machine"
                                                          : "the dump of a process"));
}

class ConvertVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.add_option("IN", options_.input, "the image or dump to read")->required();
        command.add_option("OUT", options_.output, "where to write it; - for standard output")
            ->required();
        command.add_option("-f,--format", options_.format,
                           "the format to write; else the extension of OUT decides");
        command.add_option("--compress", options_.compress,
                           "none, deflate, zlib, lzo, snappy, lz4 or zstd, where the format knows "
                           "it");
        command.add_option("--cacert", options_.caCertificates,
                           "certificates (PEM) that tls:// trusts, in place of the system's");
        command
            .add_option("--stripe", options_.volumes.stripes,
                        "a further file, for aff4: the image is shared out among them "
                        "(repeatable)")
            ->allow_extra_args(false);
        command.add_option("--split", options_.volumes.split,
                           "how long a file may be, for aff4: OUT, OUT_2, … as many as it takes");
        command.add_flag("--no-block-hashes", options_.noBlockHashes, noBlockHashesHelp);
        command.add_option("--threads", options_.threads, "how many compress at once");
        command.add_flag("--overwrite", options_.overwrite, "replace an existing file");
        command.add_flag("--json", options_.json, "the result as one JSON document");
        command.add_option("--progress", options_.progress, "auto, bar, plain or none");
    }

    [[nodiscard]] int run() override {
        const auto style = progressStyle(options_.progress);
        if (!style)
            return wrong({Errc::usage, "--progress takes auto, bar, plain or none", {}, {}});
        if (options_.json && options_.output == "-")
            return wrong({Errc::usage, "--json and OUT `-` both need standard output", {}, {}});
        const auto snapshot = openDump(options_.input);
        if (!snapshot) return failedOn(options_.input, snapshot.error());
        const auto format = chooseFormat(options_, *snapshot);
        if (!format) return wrong(format.error());
        const auto codec = chooseCodec(**format, options_.compress);
        if (!codec) return wrong(codec.error());
        if (const auto can = canLeaveOutHashes(**format, options_.noBlockHashes); !can)
            return wrong(can.error());
        std::optional<VolumeFiles> volumes;
        if (options_.volumes.several()) {
            if (!snapshot->machine)
                return wrong(
                    {Errc::usage, "--stripe and --split are for images of machines", {}, {}});
            VolumeFiles::Options planned;
            planned.overwrite = options_.overwrite;
            planned.bufferSize /= options_.volumes.stripes.size() + 1;
            auto plan = VolumeFiles::plan(options_.output, **format, options_.volumes, planned);
            if (!plan && plan.error().code == Errc::usage) return wrong(plan.error());
            if (!plan) return failedOn(options_.output, plan.error());
            volumes.emplace(*std::move(plan));
        }
        keepFreedMemory();
        const SignalGuard signals;
        ProgressBar progress(*style);
        const auto report = convert(*snapshot, **format, *codec, volumes, progress);
        progress.end();
        if (!report) return failedOn(options_.output, report.error());
        return tell(*snapshot, **format, volumes, *report);
    }

private:
    [[nodiscard]] Result<WriteReport> convert(const Snapshot& snapshot, const Format& format,
                                              std::optional<Codec> codec,
                                              std::optional<VolumeFiles>& volumes,
                                              Progress& progress) const {
        SavePlan plan;
        OutputOptions output;
        output.overwrite = options_.overwrite;
        output.caCertificates = options_.caCertificates;
        output.large = snapshot.machine.has_value();
        if (snapshot.process) {
            ASSIGN_OR_RETURN(const DumpType type, parseDumpType("full"));
            plan = planSave(*snapshot.process, type);
            narrowTo(plan, *snapshot.process->memory);
            output.expected = presentBytes(plan, *snapshot.process->memory);
        }
        ASSIGN_OR_RETURN(auto sink,
                         volumes ? volumes->first() : openOutput(options_.output, output));
        ImageOptions image;
        image.codec = codec;
        image.threads = options_.threads;
        image.blockHashes = !options_.noBlockHashes;
        if (volumes) image.volumes = volumes->volumes();
        auto report = snapshot.machine ? format.writeImage(snapshot, image, *sink, progress)
                                       : format.write(snapshot, plan, *sink, progress);
        if (!report) return report;
        if (progress.cancelled()) return fail(Errc::cancelled, "cancelled");
        TRY(sink->finish());
        if (volumes) TRY(volumes->commit());
        return report;
    }

    int tell(const Snapshot& snapshot, const Format& format,
             const std::optional<VolumeFiles>& volumes, const WriteReport& report) const {
        Issues issues = snapshot.issues;
        issues.append(report.losses);
        if (options_.json) {
            Json document = {{"schema", "icecore.convert/1"},
                             {"input", options_.input},
                             {"input_format", snapshot.provenance.format},
                             {"path", options_.output},
                             {"format", format.name},
                             {"bytes", report.bytes},
                             {"zero_bytes", report.zeroBytes},
                             {"unread", rangesJson(report.unread)},
                             {"issues", issuesJson(issues)}};
            if (volumes) {
                document["volumes"] = Json::array();
                for (const VolumeFiles::File& file : volumes->files())
                    document["volumes"].push_back({{"path", file.path}, {"bytes", file.bytes}});
            }
            printJson(document);
        } else {
            if (options_.output != "-")
                fmt::print("{}: {} ({} bytes), {}, from {}\n", printable(options_.output),
                           humanBytes(report.bytes), report.bytes, format.description,
                           printable(options_.input));
            if (volumes) {
                for (const VolumeFiles::File& file : volumes->files())
                    fmt::print("  {}: {} ({} bytes)\n", printable(file.path),
                               humanBytes(file.bytes), file.bytes);
            }
            printIssues(options_.input, snapshot.issues);
            printIssues(options_.output, report.losses);
        }
        return issues.lossy() || !report.unread.empty() ? doneWithLosses : done;
    }

    static int wrong(const Error& error) {
        printError("convert", error);
        return usage;
    }
    static int failedOn(std::string_view target, const Error& error) {
        printError(target, error);
        return failed;
    }

    ConvertOptions options_;
};

}  // namespace

std::unique_ptr<VerbRun> makeConvertVerb() {
    return std::make_unique<ConvertVerb>();
}

}  // namespace icecore::app
