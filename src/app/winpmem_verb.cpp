// `icecore winpmem`, or icecore under that name: WinPmem 3.3's switches, said in the words of our
// own verbs. Source: the help text of winpmem_v3.3 (Velocidex/c-aff4).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/image_report.h"
#include "app/program.h"
#include "app/report.h"
#include "app/verbs.h"
#include "base/text.h"
#include "formats/format.h"

namespace icecore::app {

namespace {

class WinpmemVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.add_option("-o,--output", output_, "the image; - is standard output");
        command.add_option("--format", format_, "raw, map (AFF4's) or elf")
            ->check(CLI::IsMember({"map", "elf", "raw"}));
        command.add_option("--volume_format", volume_, "raw (no container) or aff4")
            ->check(CLI::IsMember({"aff4", "raw"}));
        command.add_option("-c,--compression", compression_, "deflate, zlib, snappy, lz4, none")
            ->check(CLI::IsMember({"deflate", "zlib", "snappy", "lz4", "none"}));
        command.add_flag("-m,--acquire-memory", acquire_, "acquire memory: done in any case");
        command.add_flag("-t,--truncate", truncate_, "replace an existing file");
        command.add_option("-i,--input", input_, "the image to export from or to view");
        command.add_option("-e,--export", export_, "write the memory of the input to the output");
        command.add_flag("-V,--view", view_, "tell what the image is");
        command.add_flag("-l,--list", list_, "tell what the image has");
        command.add_option("--threads", threads_, "how many threads compress");
        command.add_option("-p,--pagefile", pagefile_, "Windows only");
        command.add_option("-s,--split", split_, "how long a volume may be");
        command.add_flag("-L,--load-driver", driver_, "no driver is needed");
        command.add_flag("-U,--unload-driver", driver_, "no driver is needed");
        command.add_option("--mode", unused_, "no driver is needed");
        command.add_option("--driver", unused_, "no driver is needed");
        command.add_option("-D,--export_dir", unused_, "without effect");
        command.add_option("IMAGE", images_, "images to view or to export from");
    }

    [[nodiscard]] int run() override {
        if (!pagefile_.empty())
            return wrong(
                "-p: the page file is Windows'; what Linux has swapped out lies on its swap "
                "devices (swapon --show): copy those beside the image");
        if (driver_ || !unused_.empty())
            printError("winpmem", "note: no driver is needed here, its switches have no effect");
        if (input_.empty() && !images_.empty()) input_ = images_.front();
        if (view_ || list_) return input_.empty() ? wrong("-V and -l need an image") : view();
        if (output_.empty()) {
            // The driver's own commands, which there is nothing to do for.
            return driver_ && !acquire_ ? done : wrong("--output is needed");
        }
        const auto format = formatWanted();
        if (format.empty())
            return wrong("--format map needs an AFF4 volume: leave --volume_format raw away");
        std::vector<std::string> line;
        if (!export_.empty() || !input_.empty()) {
            if (input_.empty()) return wrong("-e needs the image to export from, behind -i");
            line = {"convert", input_, output_};
        } else {
            line = {"ram", "--output", output_};
        }
        line.insert(line.end(), {"--format", format});
        if (!compression_.empty() && format == "aff4")
            line.insert(line.end(), {"--compress", compression_});
        if (!split_.empty()) line.insert(line.end(), {"--split", split_});
        if (threads_ > 0) line.insert(line.end(), {"--threads", std::to_string(threads_)});
        if (truncate_) line.emplace_back("--overwrite");
        return runProgram(line);
    }

private:
    /// A volume of AFF4 holds memory as a map, whatever else was asked for.
    [[nodiscard]] std::string formatWanted() const {
        if (volume_ == "aff4") return "aff4";
        if (format_ == "map") return {};
        return format_;
    }
    /// By the parts that the static program has, too.
    [[nodiscard]] int view() const {
        const auto snapshot = openDump(input_);
        if (!snapshot || !snapshot->machine) {
            printError(
                input_,
                snapshot
                    ? Error{Errc::unsupported, "is the dump of a process, not of a machine", {}, {}}
                    : snapshot.error());
            return failed;
        }
        fmt::print("{:<12} {}\n", "Format", snapshot->provenance.format);
        for (const auto& [label, value] : machineLines(*snapshot->machine))
            fmt::print("{:<12} {}\n", label, printable(value));
        printIssues(input_, snapshot->issues);
        return done;
    }
    static int wrong(std::string_view message) {
        printError("winpmem", message);
        return usage;
    }

    std::string output_, format_ = "map", volume_ = "aff4", compression_, input_, export_;
    std::string pagefile_, split_, unused_;
    std::vector<std::string> images_;
    int threads_ = 0;
    bool acquire_ = false, truncate_ = false, view_ = false, list_ = false, driver_ = false;
};

}  // namespace

std::unique_ptr<VerbRun> makeWinpmemVerb() {
    return std::make_unique<WinpmemVerb>();
}

}  // namespace icecore::app
