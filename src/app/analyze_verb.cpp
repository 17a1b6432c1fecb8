// `icecore analyze FILE…`: the whole verdict in one go.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <optional>

#include "analysis/analysis.h"
#include "analysis/caught_signal.h"
#include "analysis/shadow_stacks.h"
#include "app/download_progress.h"
#include "app/report.h"
#include "app/screen.h"
#include "app/symbol_flags.h"
#include "app/verbs.h"
#include "base/text.h"
#include "bytes/sink.h"
#include "formats/format.h"
#include "model/wow64.h"
#include "views/analysis_html.h"
#include "views/analysis_json.h"
#include "views/analysis_text.h"

namespace icecore::app {

namespace {

class AnalyzeVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.add_option("FILE", paths_, "dumps to analyse")->required();
        command.add_flag("--json", json_,
                         "one JSON document instead of text; of several files an array");
        command.add_option("--html", html_, "write one self-contained page to PATH")
            ->type_name("PATH");
        command.add_flag("--overwrite", overwrite_, "replace an existing page");
        command.add_option("--thread", thread_, "show only this thread's stack (text)")
            ->type_name("ID");
        command.add_option("--frames", frames_, "frames shown per stack (text)")
            ->check(CLI::PositiveNumber)
            ->capture_default_str();
        command.add_option("--color", color_, "auto, always or never")
            ->check(CLI::IsMember({"auto", "always", "never"}))
            ->capture_default_str();
        symbols_.declare(command);
    }

    [[nodiscard]] int run() override {
        if (!html_.empty() && paths_.size() > 1) {
            printError("analyze", "--html takes one dump at a time");
            return usage;
        }
        Json documents = Json::array();
        for (const std::string& path : paths_)
            one(path, documents);
        if (json_ && !documents.empty())
            printJson(paths_.size() == 1 ? documents.front() : documents);
        return status_;
    }

private:
    void one(const std::string& path, Json& documents) {
        auto snapshot = openDump(path);
        if (!snapshot) {
            printError(path, snapshot.error());
            worsen(failed);
            return;
        }
        if (!snapshot->process) {
            printError(path, "this is no dump of a process; `icecore info` says what it is");
            worsen(failed);
            return;
        }
        if (thread_ && snapshot->process->thread(*thread_) == nullptr) {
            printError(path, fmt::format("there is no thread {} in it", *thread_));
            worsen(failed);
            return;
        }
        const bool narrow = goToTelling32BitSide(*snapshot->process);
        if (narrow) snapshot->issues.note("shown is the 32-bit side of the process (WOW64)");
        DownloadProgress downloads([] { return false; });
        SymbolOptions options = symbols_.options();
        options.locator.progress = &downloads;
        const Symbolizer symbolizer(*snapshot->process, options);
        Unwinder unwinder(*snapshot->process, symbolizer);
        // They are of the 64-bit side.
        if (!narrow) unwinder.useShadowStacks(shadowStackPointers(*snapshot));
        adoptCaughtSignal(*snapshot, unwinder);
        SilentProgress progress;
        const Analysis analysis = analyze(*snapshot, unwinder, symbolizer, progress);
        if (analysis.issues.lossy()) worsen(doneWithLosses);
        if (!html_.empty()) writePage(*snapshot, analysis);
        if (json_) {
            documents.push_back(analysisJson(*snapshot, analysis));
        } else if (html_.empty()) {
            TextStyle style;
            style.color = color_ == "always" || (color_ == "auto" && screenHasColors());
            style.width = screenColumns();
            style.thread = thread_;
            style.frames = frames_;
            if (paths_.size() > 1) fmt::print("{}=== {}\n", first_ ? "" : "\n", printable(path));
            fmt::print("{}", analysisText(*snapshot, analysis, style));
        }
        first_ = false;
    }

    void writePage(const Snapshot& snapshot, const Analysis& analysis) {
        const std::string page = analysisHtml(snapshot, analysis);
        const auto written = [&]() -> Result<void> {
            FileSinkOptions options;
            options.overwrite = overwrite_;
            options.expected = page.size();
            ASSIGN_OR_RETURN(const auto sink, createFileSink(html_, options));
            TRY(sink->write(std::as_bytes(std::span(page))));
            return sink->finish();
        }();
        if (!written) {
            printError(html_, written.error());
            worsen(failed);
        }
    }

    /// The worst of several files counts: failed, then with losses.
    void worsen(ExitStatus status) {
        if (status_ != failed) status_ = status;
    }

    std::vector<std::string> paths_;
    std::string html_;
    std::string color_ = "auto";
    std::optional<std::uint64_t> thread_;
    std::size_t frames_ = 64;
    SymbolFlags symbols_;
    bool json_ = false, overwrite_ = false, first_ = true;
    ExitStatus status_ = done;
};

}  // namespace

std::unique_ptr<VerbRun> makeAnalyzeVerb() {
    return std::make_unique<AnalyzeVerb>();
}

}  // namespace icecore::app
