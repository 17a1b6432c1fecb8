// `icecore symbols list|check|lookup|fetch`: which symbols a dump needs and has, whether files
// match, what stands at an address of one file, and fetching what is missing.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>

#include "app/report.h"
#include "app/symbol_flags.h"
#include "app/verbs.h"
#include "base/text.h"
#include "bytes/elf_layout.h"
#include "formats/format.h"
#include "images/elf_image.h"
#include "symbols/debuginfod.h"
#include "symbols/module_symbolizer.h"
#include "symbols/symbolizer.h"

namespace icecore::app {

namespace {

/// A file named on the command line: a dump, or a program, library or debug file.
struct Subject {
    std::optional<Snapshot> dump;
    std::shared_ptr<const ElfImage> image;
};

Result<Subject> openSubject(const std::string& path) {
    ASSIGN_OR_RETURN(auto source, openSource(path));
    Subject subject;
    if (auto image = ElfImage::open(source); image && (*image)->type() != elf::typeCore) {
        subject.image = std::move(*image);
        return subject;
    }
    ASSIGN_OR_RETURN(subject.dump, openDump(path));
    if (!subject.dump->process)
        return fail(Errc::unsupported, "holds no process, so that no modules are known", path);
    return subject;
}

Result<std::shared_ptr<const ElfImage>> openImage(const std::string& path) {
    ASSIGN_OR_RETURN(auto source, openSource(path));
    ASSIGN_OR_RETURN(auto image, ElfImage::open(std::move(source)));
    if (image->type() == elf::typeCore)
        return fail(Errc::usage, "is a core dump: `icecore open` looks up its addresses", path);
    return image;
}

std::string fileUsed(const ModuleSymbols& symbols) {
    if (symbols.kind == SymbolKind::dwarf && !symbols.debugPath.empty()) return symbols.debugPath;
    if (!symbols.imagePath.empty()) return symbols.imagePath;
    if (!symbols.debugPath.empty()) return symbols.debugPath;
    return symbols.image ? "(the dump's memory)" : "";
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
                good = checkMember(*dump->process, *subject->image);
            } else {
                good = checkImage(path, subject->image);
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

    bool checkMember(const Process& process, const ElfImage& image) {
        const std::string id = hexBytes(image.buildId());
        const auto same = std::ranges::find_if(process.modules.items, [&](const Module& module) {
            return !id.empty() && module.id.text() == id;
        });
        if (same != process.modules.items.end()) {
            report(image.name(), true, fmt::format("build-id {} is that of {}", id, same->path));
            return true;
        }
        report(image.name(), false,
               id.empty() ? "has no build-id to compare"
                          : fmt::format("no module of the dump has its build-id {}", id));
        return false;
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
        command.add_option("FILE", path_, "an ELF program, library or debug file")->required();
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
        auto image = openImage(path_);
        if (!image) {
            printError(path_, image.error());
            return failed;
        }
        base_ = absolute_ ? 0 : (*image)->imageBase();
        const ModuleSymbolizer symbols(findFilesOf(std::move(*image), flags_.options()));
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
    void answer(const ModuleSymbolizer& symbols, std::uint64_t address) {
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

/// `symbols fetch FILE…`
class FetchCommand {
public:
    void declare(CLI::App& command) {
        command.add_option("FILE", paths_, "dumps, programs and libraries, or build-ids in hex")
            ->required();
        command.add_option("--server", server_,
                           "debuginfod servers, separated by blanks (default: DEBUGINFOD_URLS)");
        command.add_flag("--json", json_, "one JSON document instead of text");
        flags_.declare(command);
    }
    [[nodiscard]] int run() {
        options_ = flags_.options();
        if (!server_.empty()) options_.debuginfodUrls = server_;
        if (options_.debuginfodUrls.empty()) {
            printError("symbols fetch", "no server is named: set DEBUGINFOD_URLS or give --server");
            return usage;
        }
        for (const std::string& path : paths_)
            fetchFor(path);
        if (json_) printJson(results_);
        return status_;
    }

private:
    void fetchFor(const std::string& path) {
        std::error_code error;
        const auto id = parseHexBytes(path);
        if (id && id->size() >= 8 && !std::filesystem::exists(path, error)) {
            fetch(path, *id, DebuginfodKind::debuginfo);
            return;
        }
        auto subject = openSubject(path);
        if (!subject) {
            printError(path, subject.error());
            status_ = failed;
            return;
        }
        if (subject->image) {
            const auto ownId = subject->image->buildId();
            fetch(path, {ownId.begin(), ownId.end()}, DebuginfodKind::debuginfo);
            return;
        }
        // What is here already is not asked for.
        SymbolOptions local = options_;
        local.debuginfodUrls.clear();
        const Process& process = *subject->dump->process;
        const Symbolizer symbolizer(process, local);
        for (const Module& module : process.modules) {
            if (module.id.kind != ModuleId::Kind::build_id || module.path.starts_with('['))
                continue;
            const ModuleSymbols& symbols = symbolizer.module(module);
            if (symbols.imagePath.empty())
                fetch(module.path, module.id.bytes, DebuginfodKind::executable);
            if (symbols.kind != SymbolKind::dwarf)
                fetch(module.path, module.id.bytes, DebuginfodKind::debuginfo);
        }
    }

    void fetch(const std::string& name, const std::vector<std::byte>& id, DebuginfodKind kind) {
        const auto fetched = debuginfodFetch(options_.debuginfodUrls, id, kind, {});
        if (!fetched && status_ == done) status_ = doneWithLosses;
        if (json_) {
            Json item = {{"file", name}, {"id", hexBytes(id)}, {"kind", toString(kind)}};
            if (fetched) item["path"] = fetched->string();
            if (!fetched) item["error"] = fetched.error().describe();
            results_.push_back(std::move(item));
        } else if (fetched) {
            fmt::print("{}: {} in {}\n", printable(name), toString(kind), fetched->string());
        } else {
            printError(name, fetched.error());
        }
    }

    std::vector<std::string> paths_;
    std::string server_;
    bool json_ = false;
    int status_ = done;
    Json results_ = Json::array();
    SymbolOptions options_;
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
                             "fetch", "get missing symbols from debuginfod servers")));
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
