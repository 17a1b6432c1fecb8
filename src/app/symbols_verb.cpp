// `icecore symbols list|check|lookup|fetch`: which symbols a dump needs and has, whether files
// match, what stands at an address of one file, and fetching what is missing.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "app/report.h"
#include "app/symbol_flags.h"
#include "app/symbol_subject.h"
#include "app/symbols_fetch.h"
#include "app/verbs.h"
#include "base/text.h"
#include "formats/format.h"
#include "symbols/module_symbolizer.h"
#include "symbols/pe_symbols.h"
#include "symbols/symbolizer.h"

namespace icecore::app {

namespace {

std::string fileUsed(const ModuleSymbols& symbols) {
    const bool debug = symbols.kind == SymbolKind::dwarf || symbols.kind == SymbolKind::pdb;
    if (debug && !symbols.debugPath.empty()) return symbols.debugPath;
    if (!symbols.imagePath.empty()) return symbols.imagePath;
    if (!symbols.debugPath.empty()) return symbols.debugPath;
    return symbols.image || symbols.peImage ? "(the dump's memory)" : "";
}

Json moduleJson(const Module& module, const ModuleSymbols& symbols) {
    return {{"name", module.fileName()},
            {"path", module.path},
            {"base", hex(module.range.begin())},
            {"size", module.range.size()},
            {"id", module.id.text()},
            {"symbols", toString(symbols.kind)},
            {"image_file", symbols.imagePath},
            {"debug_file", symbols.debugPath},
            {"forced", symbols.forced},
            {"tried", symbols.tried}};
}

void printModule(const Module& module, const ModuleSymbols& symbols, bool verbose) {
    fmt::print("{:#018x}  {:<8}  {:<40}  {}{}\n", module.range.begin(), toString(symbols.kind),
               module.id.text().empty() ? "-" : module.id.text(),
               printable(module.path.empty() ? "-" : module.path),
               symbols.forced ? "  (forced)" : "");
    const std::string used = fileUsed(symbols);
    if (!used.empty() && used != module.path) fmt::print("{:>28}{}\n", "from ", printable(used));
    if (!verbose) return;
    for (const std::string& sentence : symbols.tried)
        fmt::print("{:>28}{}\n", "", printable(sentence));
}

Json framesJson(const std::vector<SymbolFrame>& frames) {
    Json list = Json::array();
    for (const SymbolFrame& frame : frames) {
        Json item = Json::object();
        if (!frame.function.empty()) {
            item["function"] = frame.function;
            item["function_offset"] = hex(frame.functionOffset);
        }
        if (!frame.file.empty()) item["file"] = frame.file;
        if (frame.line != 0) item["line"] = frame.line;
        item["inline"] = frame.inlined;
        list.push_back(std::move(item));
    }
    return list;
}

std::string frameText(const SymbolFrame& frame) {
    std::string text = frame.function.empty()
                           ? std::string("?")
                           : fmt::format("{}+{:#x}", frame.function, frame.functionOffset);
    if (!frame.file.empty()) text += fmt::format(" at {}:{}", frame.file, frame.line);
    return printable(text);
}

/// `symbols list FILE`
class ListCommand {
public:
    void declare(CLI::App& command) {
        command.add_option("FILE", path_, "the dump")->required();
        command.add_flag("--verbose,-v", verbose_, "say which files were tried, and why not used");
        command.add_flag("--json", json_, "one JSON document instead of text");
        flags_.declare(command);
    }
    [[nodiscard]] int run() const {
        const auto snapshot = openDump(path_);
        if (!snapshot) {
            printError(path_, snapshot.error());
            return failed;
        }
        if (!snapshot->process) {
            printError(path_, "holds no process, so that no modules are known");
            return failed;
        }
        const Process& process = *snapshot->process;
        const Symbolizer symbolizer(process, flags_.options());
        Json list = Json::array();
        for (const Module& module : process.modules) {
            const ModuleSymbols& symbols = symbolizer.module(module);
            if (json_) {
                list.push_back(moduleJson(module, symbols));
            } else {
                printModule(module, symbols, verbose_);
            }
        }
        if (json_) printJson(list);
        return done;
    }

private:
    std::string path_;
    bool verbose_ = false, json_ = false;
    SymbolFlags flags_;
};

/// `symbols check FILE…`
class CheckCommand {
public:
    void declare(CLI::App& command) {
        command
            .add_option("FILE", paths_,
                        "dumps: do their modules' files match; after a dump, other files: do "
                        "they belong to it; without a dump: have they debug files that match")
            ->required();
        command.add_flag("--json", json_, "one JSON document instead of text");
        flags_.declare(command);
    }
    [[nodiscard]] int run() {
        std::optional<Snapshot> dump;
        int status = done;
        for (const std::string& path : paths_) {
            auto subject = openSubject(path);
            if (!subject) {
                printError(path, subject.error());
                status = failed;
                continue;
            }
            bool good = false;
            if (subject->dump) {
                dump = std::move(subject->dump);
                good = checkDump(*dump->process);
            } else if (dump) {
                good = checkMember(*dump->process, path, *subject);
            } else {
                good = checkAlone(path, *subject);
            }
            if (!good) status = failed;
        }
        if (json_) printJson(results_);
        return status;
    }

private:
    void report(std::string_view name, bool good, std::string_view what,
                const std::vector<std::string>& tried = {}) {
        if (json_) {
            results_.push_back({{"file", name}, {"match", good}, {"what", what}, {"tried", tried}});
            return;
        }
        fmt::print("{:<9} {}: {}\n", good ? "match" : "NO MATCH", printable(name), printable(what));
        if (good) return;
        for (const std::string& sentence : tried)
            fmt::print("          {}\n", printable(sentence));
    }

    bool checkDump(const Process& process) {
        const Symbolizer symbolizer(process, flags_.options());
        bool good = true;
        for (const Module& module : process.modules) {
            const ModuleSymbols& symbols = symbolizer.module(module);
            const bool match = symbols.kind != SymbolKind::mismatch && !symbols.forced;
            const std::string used = fileUsed(symbols);
            const std::string_view what = toString(symbols.kind);
            report(module.path, match,
                   used.empty() ? std::string(what) : fmt::format("{} from {}", what, used),
                   symbols.tried);
            good = good && match;
        }
        return good;
    }

    /// What a file calls itself, in the words of its kind.
    static std::string identityOf(const Subject& subject) {
        if (subject.elf) return hexBytes(subject.elf->buildId());
        if (subject.pe) return subject.pe->id();
        return subject.pdb->identity().id();
    }

    static bool isOf(const Subject& subject, const Module& module) {
        if (subject.elf)
            return !subject.elf->buildId().empty() &&
                   module.id.text() == hexBytes(subject.elf->buildId());
        if (subject.pe) return imageRequest(module).id == subject.pe->id();
        return subject.pdb->identity().matches(module.id.text());
    }

    bool checkMember(const Process& process, const std::string& path, const Subject& subject) {
        const std::string_view what = subject.elf  ? "build-id"
                                      : subject.pe ? "time stamp and size"
                                                   : "GUID and age";
        const std::string id = identityOf(subject);
        const auto same = std::ranges::find_if(
            process.modules.items, [&](const Module& module) { return isOf(subject, module); });
        if (same != process.modules.items.end()) {
            report(path, true, fmt::format("{} {} is that of {}", what, id, same->path));
            return true;
        }
        report(path, false,
               id.empty() ? fmt::format("has no {} to compare", what)
                          : fmt::format("no module of the dump has its {} {}", what, id));
        return false;
    }

    bool checkAlone(const std::string& path, const Subject& subject) {
        if (subject.elf) return checkImage(path, subject.elf);
        if (subject.pdb) {
            const std::string limits = subject.pdb->limits();
            report(path, true,
                   fmt::format("a PDB with GUID and age {}{}{}", subject.pdb->identity().id(),
                               limits.empty() ? "" : "; it ", limits));
            return true;
        }
        const PeFiles files = findFilesOfPe(subject.pe, flags_.options());
        const bool recorded = subject.pe->codeView().has_value();
        const bool good = files.pdb ? !files.info.forced : !recorded;
        std::string what(files.pdb  ? "pdb from " + files.info.debugPath
                         : recorded ? "its PDB " + subject.pe->codeView()->id() + " was not found"
                                    : "records no PDB");
        report(path, good, what, files.info.tried);
        return good;
    }

    bool checkImage(const std::string& path, std::shared_ptr<const ElfImage> image) {
        const ModuleFiles files = findFilesOf(std::move(image), flags_.options());
        const bool good = files.info.kind != SymbolKind::mismatch &&
                          (files.info.kind == SymbolKind::dwarf || !triedSomethingElse(files.info));
        std::string what(toString(files.info.kind));
        if (!files.info.debugPath.empty()) what += " from " + files.info.debugPath;
        report(path, good, what, files.info.tried);
        return good;
    }

    /// A debug file was found, and refused.
    static bool triedSomethingElse(const ModuleSymbols& symbols) {
        return !symbols.tried.empty() && symbols.debugPath.empty();
    }

    std::vector<std::string> paths_;
    bool json_ = false;
    Json results_ = Json::array();
    SymbolFlags flags_;
};

/// `symbols lookup FILE ADDRESS…`
class LookUpCommand {
public:
    void declare(CLI::App& command) {
        command
            .add_option(
                "FILE", path_,
                "an ELF or PE program or library, a debug file, a PDB or a Breakpad .sym file")
            ->required();
        command.add_option("ADDRESS", addresses_,
                           "hexadecimal, relative to the image's base (default: one per line on "
                           "standard input)");
        command.add_flag("--absolute", absolute_,
                         "addresses are those in the file itself (of a program linked at a fixed "
                         "address; the same otherwise)");
        command.add_flag("--return", return_, "addresses are return addresses: name the call");
        command.add_flag("--json", json_, "one JSON document instead of text");
        flags_.declare(command);
    }
    [[nodiscard]] int run() {
        const auto file = openReader(path_, flags_.options());
        if (!file) {
            printError(path_, file.error());
            return failed;
        }
        base_ = file->base - (absolute_ ? file->preferred : 0);
        const ModuleReader& symbols = *file->reader;
        int status = done;
        const auto take = [&](std::string_view text) {
            text = trim(text);
            if (text.empty()) return;
            const auto address = parseHex(text);
            if (!address) {
                printError(text, "is not a hexadecimal address");
                status = failed;
                return;
            }
            answer(symbols, *address);
        };
        for (const std::string& text : addresses_)
            take(text);
        if (addresses_.empty()) {
            std::ios::sync_with_stdio(false);
            for (std::string line; std::getline(std::cin, line);)
                take(line);
        }
        if (json_) printJson(results_);
        if (!json_) fmt::print("{}", out_);
        return status;
    }

private:
    void answer(const ModuleReader& symbols, std::uint64_t address) {
        const auto located = symbols.locate(address + base_, return_);
        if (json_) {
            results_.push_back({{"address", hex(address)}, {"frames", framesJson(located.frames)}});
            return;
        }
        out_ += fmt::format("{:#x}", address);
        if (located.frames.empty()) out_ += "  ?\n";
        for (std::size_t i = 0; i < located.frames.size(); ++i) {
            out_ += fmt::format("{}{}\n", i == 0 ? "  " : "    inlined into ",
                                frameText(located.frames[i]));
        }
        // Someone may be reading along: in pieces, not all at the end.
        constexpr std::size_t piece = 1U << 16;
        if (out_.size() < piece) return;
        fmt::print("{}", out_);
        out_.clear();
    }

    std::string path_;
    std::vector<std::string> addresses_;
    bool absolute_ = false, return_ = false, json_ = false;
    std::uint64_t base_ = 0;
    Json results_ = Json::array();
    std::string out_;
    SymbolFlags flags_;
};

class SymbolsVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.require_subcommand(1);
        list_.declare(*(listApp_ = command.add_subcommand(
                            "list", "the modules of a dump and where their symbols come from")));
        check_.declare(*(checkApp_ = command.add_subcommand("check", "do these files match")));
        lookUp_.declare(*(
            lookUpApp_ = command.add_subcommand("lookup", "what stands at addresses of one file")));
        fetch_.declare(*(fetchApp_ = command.add_subcommand(
                             "fetch", "get missing symbols from symbol servers")));
    }
    [[nodiscard]] int run() override {
        if (listApp_->parsed()) return list_.run();
        if (checkApp_->parsed()) return check_.run();
        if (lookUpApp_->parsed()) return lookUp_.run();
        return fetch_.run();
    }

private:
    ListCommand list_;
    CheckCommand check_;
    LookUpCommand lookUp_;
    FetchCommand fetch_;
    CLI::App *listApp_ = nullptr, *checkApp_ = nullptr, *lookUpApp_ = nullptr, *fetchApp_ = nullptr;
};

}  // namespace

std::unique_ptr<VerbRun> makeSymbolsVerb() {
    return std::make_unique<SymbolsVerb>();
}

}  // namespace icecore::app
