// `icecore handler`: be the system's crash handler.
#include "app/handler_verb.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/repl.h"
#include "app/report.h"
#include "app/size_word.h"
#include "app/symbol_flags.h"
#include "app/verbs.h"
#include "base/text.h"
#include "formats/format.h"

namespace icecore::app {

namespace {

using handler::Crash;

/// "2026-11-24T10:18:05.123456789Z" as people want it in a table.
std::string shortTime(const std::string& time) {
    std::string text = time.substr(0, 19);
    std::ranges::replace(text, 'T', ' ');
    return text;
}

class HandlerVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.require_subcommand(1);
        install_ = command.add_subcommand("install", "make icecore the system's crash handler");
        install_->add_option("FOLDER", settings_.folder,
                             "where dumps go (default: /var/lib/icecore/crashes)");
        install_->add_option("-f,--format", settings_.format, "core or minidump")
            ->capture_default_str();
        install_->add_option("-t,--type", settings_.type,
                             "as `icecore dump` takes it; default: a core what the kernel keeps, a "
                             "minidump mini");
        install_->add_option("--keep", settings_.keep, "how many crashes are kept")
            ->check(CLI::PositiveNumber)
            ->capture_default_str();
        install_
            ->add_option("--max-bytes", maxBytes_,
                         "how much of the disk they may take: a number, K, M, G or T behind it")
            ->capture_default_str();
        install_
            ->add_option("--timeout", settings_.timeoutSeconds,
                         "seconds after which a crash is given up")
            ->check(CLI::PositiveNumber)
            ->capture_default_str();
        uninstall_ = command.add_subcommand("uninstall", "put back what was there before");
        status_ = command.add_subcommand("status", "who handles crashes, and what is kept");
        list_ = command.add_subcommand("list", "the crashes that are kept, newest first");
        open_ = command.add_subcommand("open", "the debugger on one of them");
        open_->add_option("WHICH", which_, "LAST, a number in `list`, or a process id")
            ->capture_default_str();
        open_->add_option("-c,--command", commands_, "run these commands and quit");
        symbols_.declare(*open_);
        receive_ = command.add_subcommand("receive", "")->group("");
        receive_->add_option("PID", received_.pid)->required();
        receive_->add_option("INNER", received_.innerPid)->required();
        receive_->add_option("SIGNAL", received_.signal)->required();
        receive_->add_option("TIME", received_.time)->required();
        receive_->add_option("MODE", received_.dumpMode);
        for (CLI::App* verb : {install_, uninstall_, status_, list_, open_, receive_}) {
            verb->add_option("--root", root_,
                             "keep state, dumps and the log's socket below DIRECTORY");
            verb->add_option("--sysctl", sysctl_, "instead of /proc/sys/kernel")->group("");
        }
        for (CLI::App* verb : {status_, list_})
            verb->add_flag("--json", json_, "one JSON document instead of text");
    }

    [[nodiscard]] int run() override {
        if (!root_.empty()) places_.root = std::filesystem::absolute(root_).lexically_normal();
        if (!sysctl_.empty()) places_.sysctl = sysctl_;
        if (receive_->parsed()) return handler::receive(places_, received_);
        if (install_->parsed()) return install();
        if (uninstall_->parsed()) return uninstall();
        if (status_->parsed()) return status();
        if (list_->parsed()) return list();
        return open();
    }

private:
    int install() {
        const auto size = parseSize(maxBytes_);
        if (!size || *size == 0) {
            printError("handler", "--max-bytes takes a number, K, M, G or T behind it");
            return usage;
        }
        settings_.maxBytes = *size;
        const Format* format = formatByName(settings_.format);
        if (format == nullptr || format->write == nullptr) {
            printError("handler", "--format takes core or minidump");
            return usage;
        }
        if (!settings_.type.empty()) {
            if (const auto type = parseDumpType(settings_.type); !type) {
                printError("handler", type.error());
                return usage;
            }
        }
        settings_.folder = std::filesystem::absolute(settings_.folder.empty()
                                                         ? places_.defaultFolder()
                                                         : std::filesystem::path(settings_.folder))
                               .lexically_normal()
                               .string();
        if (const auto installed = handler::install(places_, settings_); !installed) {
            printError("handler", installed.error());
            return failed;
        }
        fmt::print("icecore handles crashes now; dumps go to {}\n", printable(settings_.folder));
        return done;
    }

    int uninstall() {
        std::string restored;
        if (const auto gone = handler::uninstall(places_, restored); !gone) {
            printError("handler", gone.error());
            return failed;
        }
        fmt::print("put back: {}\n", restored.empty() ? "no handler" : printable(restored));
        return done;
    }

    /// Where dumps are: as installed, else where they would be.
    [[nodiscard]] std::string folder() const {
        const auto settings = handler::Settings::read(places_.state());
        return settings ? settings->folder : places_.defaultFolder().string();
    }

    int status() {
        const auto status = handler::status(places_);
        if (!status) {
            printError("handler", status.error());
            return failed;
        }
        const auto crashes = handler::readCrashes(folder());
        std::uint64_t bytes = 0;
        for (const Crash& crash : crashes)
            bytes += crash.diskBytes;
        if (json_) {
            Json json = {{"in_charge", status->inCharge},
                         {"core_pattern", status->pattern},
                         {"core_pipe_limit", status->pipeLimit},
                         {"installed", status->settings.has_value()},
                         {"folder", folder()},
                         {"kept", crashes.size()},
                         {"kept_bytes", bytes}};
            if (status->settings) json["settings"] = status->settings->json();
            printJson(json);
            return done;
        }
        fmt::print("in charge   {}\npattern     {}\n", status->inCharge,
                   printable(status->pattern));
        if (status->settings) {
            const handler::Settings& settings = *status->settings;
            if (status->inCharge != "icecore")
                fmt::print("            not what icecore installed: somebody changed it since\n");
            fmt::print(
                "format      {}{}{}\nlimits      {} crashes, {}, {} s each\n"
                "before      {}\n",
                settings.format, settings.type.empty() ? "" : ", ", settings.type, settings.keep,
                humanBytes(settings.maxBytes), settings.timeoutSeconds,
                settings.previousPattern.empty() ? "no handler"
                                                 : printable(settings.previousPattern));
        }
        fmt::print("folder      {}\nkept        {} crashes, {}\n", printable(folder()),
                   crashes.size(), humanBytes(bytes));
        return done;
    }

    int list() {
        const auto crashes = handler::readCrashes(folder());
        if (json_) {
            Json json = Json::array();
            for (const Crash& crash : crashes)
                json.push_back(crash.json());
            printJson(json);
            return done;
        }
        if (crashes.empty()) {
            fmt::print("no crashes in {}\n", printable(folder()));
            return done;
        }
        fmt::print("{:>3} {:<19} {:>7} {:<16} {:<8} {:>10} {}\n", "NR", "TIME (UTC)", "PID",
                   "PROGRAM", "SIGNAL", "SIZE", "VERDICT");
        for (std::size_t i = 0; i < crashes.size(); ++i) {
            const Crash& crash = crashes[i];
            fmt::print("{:>3} {:<19} {:>7} {:<16} {:<8} {:>10} {}\n", i + 1, shortTime(crash.time),
                       crash.pid, printable(crash.program), crash.signalName,
                       crash.path.empty() ? "no dump" : humanBytes(crash.bytes),
                       crash.verdict.empty() ? "-" : printable(crash.verdict));
        }
        return done;
    }

    /// LAST; a number of the list; else the newest of that process id.
    [[nodiscard]] const Crash* choose(const std::vector<Crash>& crashes) const {
        if (equalsIgnoreCase(which_, "last")) return crashes.empty() ? nullptr : &crashes.front();
        const auto number = parseDecimal(which_);
        if (!number) return nullptr;
        if (*number >= 1 && *number <= crashes.size()) return &crashes[*number - 1];
        const auto found = std::ranges::find_if(crashes, [&](const Crash& crash) {
            return crash.pid == *number || crash.innerPid == *number;
        });
        return found == crashes.end() ? nullptr : &*found;
    }

    int open() {
        const auto crashes = handler::readCrashes(folder());
        const Crash* crash = choose(crashes);
        if (crash == nullptr) {
            printError(which_, "no such crash; `icecore handler list` shows them");
            return failed;
        }
        if (crash->path.empty()) {
            printError(which_, "no dump of it could be kept: " + handler::journalLine(*crash));
            return failed;
        }
        auto snapshot = openDump(crash->path);
        if (!snapshot) {
            printError(crash->path, snapshot.error());
            return failed;
        }
        auto session = debugger::Session::create(std::move(*snapshot), symbols_.options());
        if (!session) {
            printError(crash->path, session.error());
            return failed;
        }
        return runSession(**session, commands_);
    }

    CLI::App *install_ = nullptr, *uninstall_ = nullptr, *status_ = nullptr, *list_ = nullptr,
             *open_ = nullptr, *receive_ = nullptr;
    handler::Settings settings_;
    handler::Places places_;
    handler::Received received_;
    std::string root_, sysctl_, maxBytes_ = "4G", which_ = "LAST";
    std::vector<std::string> commands_;
    SymbolFlags symbols_;
    bool json_ = false;
};

}  // namespace

std::unique_ptr<VerbRun> makeHandlerVerb() {
    return std::make_unique<HandlerVerb>();
}

}  // namespace icecore::app
