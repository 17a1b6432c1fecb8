// `icecore describe FILE`: everything in a dump as text; `icecore build TEXT -o FILE`: the file
// such a text describes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/report.h"
#include "app/verbs.h"
#include "bytes/sink.h"
#include "formats/format.h"

namespace icecore::app {

namespace {

class DescribeVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.add_option("FILE", path_, "the dump")->required();
        command.add_flag("--json", json_, "one JSON document: {\"path\",\"format\",\"text\"}");
    }
    [[nodiscard]] int run() override {
        const auto text = describe();
        if (!text) {
            printError(path_, text.error());
            return failed;
        }
        if (json_)
            printJson({{"schema", "icecore.describe/1"},
                       {"path", path_},
                       {"format", format_},
                       {"text", *text}});
        else
            fmt::print("{}", *text);
        return done;
    }

private:
    Result<std::string> describe() {
        ASSIGN_OR_RETURN(auto source, openSource(path_));
        ASSIGN_OR_RETURN(const Format* format, recognise(*source));
        format_ = format->name;
        if (format->describe == nullptr)
            return fail(Errc::unsupported, "this format cannot be described", path_);
        return format->describe(std::move(source));
    }

    std::string path_, format_;
    bool json_ = false;
};

class BuildVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.add_option("TEXT", path_, "a description, as `icecore describe` prints it")
            ->required();
        command.add_option("-o,--output", output_, "the file to make")->required();
        command.add_option("-f,--format", format_,
                           "core, minidump or windows-kernel; else what the text speaks of");
        command.add_flag("--overwrite", overwrite_, "replace an existing file");
    }
    [[nodiscard]] int run() override {
        if (const auto built = build(); !built) {
            const bool aboutOutput = built.error().where.starts_with(output_);
            printError(aboutOutput ? output_ : path_, built.error());
            return built.error().code == Errc::usage ? usage : failed;
        }
        return done;
    }

private:
    Result<void> build() {
        ASSIGN_OR_RETURN(const auto source, openMappedFile(path_));
        ASSIGN_OR_RETURN(const SharedBytes text, source->load(0, source->size()));
        ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, buildAny(text.text()));
        FileSinkOptions options;
        options.overwrite = overwrite_;
        options.expected = bytes.size();
        ASSIGN_OR_RETURN(const auto sink, createFileSink(output_, options));
        TRY(sink->write(bytes));
        return sink->finish();
    }

    /// By the format that was named, or by the first one that knows all the text's structures.
    [[nodiscard]] Result<std::vector<std::byte>> buildAny(std::string_view text) const {
        if (!format_.empty()) {
            const Format* format = formatByName(format_);
            if (format == nullptr || format->build == nullptr)
                return fail(Errc::usage, "--format: no format is called `" + format_ + "`");
            return format->build(text);
        }
        std::string reasons;
        for (const Format& format : allFormats()) {
            if (format.build == nullptr) continue;
            auto built = format.build(text);
            if (built) return built;
            reasons += fmt::format("{}as {}: {}", reasons.empty() ? "" : "; ", format.name,
                                   built.error().describe());
        }
        return fail(Errc::malformed, reasons, path_);
    }

    std::string path_, output_, format_;
    bool overwrite_ = false;
};

}  // namespace

std::unique_ptr<VerbRun> makeDescribeVerb() {
    return std::make_unique<DescribeVerb>();
}
std::unique_ptr<VerbRun> makeBuildVerb() {
    return std::make_unique<BuildVerb>();
}

}  // namespace icecore::app
