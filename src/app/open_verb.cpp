// `icecore open FILE`: the WinDbg command language over a dump.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/download_progress.h"
#include "app/repl.h"
#include "app/report.h"
#include "app/symbol_flags.h"
#include "app/verbs.h"
#include "base/text.h"
#include "debugger/interpreter.h"
#include "formats/format.h"
#include "formats/outline.h"

namespace icecore::app {

namespace {

class OpenVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.add_option("FILE", path_, "the dump")->required();
        command.add_option(
            "-c,--command", commands_,
            "run these commands (joined by ';') and quit; may be given several times");
        command.add_option("--thread", thread_, "begin at this thread, by its number in `~`");
        command.add_flag("--json", json_,
                         "with -c: [{\"command\",\"output\",\"ok\"}] instead of text");
        symbols_.declare(command);
    }

    [[nodiscard]] int run() override {
        if (json_ && commands_.empty()) {
            printError(path_, "--json needs -c \"COMMANDS\"");
            return usage;
        }
        auto snapshot = openDump(path_);
        if (!snapshot) {
            printError(path_, snapshot.error());
            return failed;
        }
        // A transfer ends with ^C as a command does.
        const debugger::Session* running = nullptr;
        DownloadProgress downloads([&] { return running != nullptr && running->interrupted(); });
        SymbolOptions options = symbols_.options();
        options.locator.progress = &downloads;
        auto session = debugger::Session::create(std::move(*snapshot), options);
        if (!session) {
            printError(path_, session.error());
            return failed;
        }
        running = session->get();
        (*session)->outline = [this] { return outlineOf(path_); };
        if (thread_) {
            if (*thread_ >= (*session)->process().threads.size()) {
                printError(path_, fmt::format("the dump has no thread {}", *thread_));
                return failed;
            }
            (*session)->selectThread(*thread_);
        }
        return json_ ? runForJson(**session) : runSession(**session, commands_);
    }

private:
    int runForJson(debugger::Session& session) {
        debugger::TextOutput output;
        debugger::Interpreter interpreter(session, output);
        Json results = Json::array();
        bool good = true;
        for (const std::string& line : commands_) {
            std::string_view rest = line;
            while (!rest.empty() && !session.quit) {
                const std::string_view before = rest;
                const auto cut = debugger::cutCommand(rest);
                if (!cut) rest = {};  // an unfinished prefix: the interpreter says what is wrong
                if (cut && cut->word.empty()) continue;
                std::string_view text = trim(before.substr(0, before.size() - rest.size()));
                while (text.starts_with(';'))
                    text = trim(text.substr(1));
                const bool ok = interpreter.execute(text);
                results.push_back({{"command", text}, {"output", output.take()}, {"ok", ok}});
                good = good && ok;
            }
        }
        printJson(results);
        return good ? done : failed;
    }

    std::string path_;
    std::vector<std::string> commands_;
    std::optional<std::size_t> thread_;
    bool json_ = false;
    SymbolFlags symbols_;
};

}  // namespace

std::unique_ptr<VerbRun> makeOpenVerb() {
    return std::make_unique<OpenVerb>();
}

}  // namespace icecore::app
