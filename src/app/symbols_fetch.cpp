#include "app/symbols_fetch.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/download_progress.h"
#include "app/terminal.h"
#include "app/verb.h"
#include "base/text.h"
#include "symbols/module_reader.h"
#include "symbols/pe_files.h"
#include "symbols/search_path.h"

namespace icecore::app {

namespace {

bool namesServer(std::string_view path) {
    return std::ranges::any_of(parseSymbolPath(path), [](const SymbolSite& site) {
        return std::ranges::any_of(site.places, isSymbolUrl);
    });
}

}  // namespace

void FetchCommand::declare(CLI::App& command) {
    command.add_option("FILE", paths_, "dumps, programs and libraries, or build-ids in hex")
        ->required();
    command.add_option("--server", server_,
                       "debuginfod servers, separated by blanks (default: DEBUGINFOD_URLS); for "
                       "Windows' modules servers are part of --symbols");
    command.add_option("--jobs", jobs_, "modules whose files are asked for at the same time")
        ->check(CLI::Range(1U, 64U));
    command.add_flag("--json", json_, "one JSON document instead of text");
    flags_.declare(command);
}

int FetchCommand::run() {
    options_ = flags_.options();
    if (!server_.empty()) options_.debuginfodUrls = server_;
    if (options_.debuginfodUrls.empty() && !namesServer(options_.path)) {
        printError("symbols fetch",
                   "no server is named: set DEBUGINFOD_URLS or give --server; for Windows' "
                   "modules --symbols 'srv*CACHE*URL'");
        return usage;
    }
    const SignalGuard signals;
    DownloadProgress progress(&SignalGuard::stopRequested);
    options_.locator.progress = &progress;
    for (const std::string& path : paths_)
        fetchFor(path);
    options_.locator.progress = nullptr;
    if (json_) printJson(results_);
    return status_;
}

void FetchCommand::fetchFor(const std::string& path) {
    std::error_code error;
    const auto id = parseHexBytes(path);
    if (id && id->size() >= 8 && !std::filesystem::exists(path, error)) {
        fetchByBuildId(path, *id, DebuginfodKind::debuginfo);
        return;
    }
    auto subject = openSubject(path);
    if (!subject) {
        printError(path, subject.error());
        status_ = failed;
        return;
    }
    if (subject->elf) {
        const auto ownId = subject->elf->buildId();
        fetchByBuildId(path, {ownId.begin(), ownId.end()}, DebuginfodKind::debuginfo);
    } else if (subject->pe) {
        reportPe(path, subject->pe->codeView() ? subject->pe->codeView()->id() : "",
                 findFilesOfPe(subject->pe, options_).info);
    } else if (subject->dump) {
        fetchModules(*subject->dump->process);
    } else {
        printError(path, "is a PDB: there is nothing to fetch for it");
        status_ = failed;
    }
}

void FetchCommand::fetchModules(const Process& process) {
    const auto isPe = [&](const Module& module) { return isPeModule(process, module); };
    // What debuginfod has is asked for below, file by file; what is here already is not.
    SymbolOptions local = options_;
    local.debuginfodUrls.clear();
    const Symbolizer symbolizer(process, local);
    symbolizer.prefetch(jobs_, isPe);
    for (const Module& module : process.modules) {
        if (SignalGuard::stopRequested()) {
            status_ = failed;
            return;
        }
        if (isPe(module))
            reportPe(module.path, module.id.text(), symbolizer.module(module));
        else if (!options_.debuginfodUrls.empty())
            fetchElf(module, symbolizer.module(module));
    }
}

void FetchCommand::reportPe(const std::string& name, const std::string& id,
                            const ModuleSymbols& symbols) {
    const bool got = symbols.kind == SymbolKind::pdb && !symbols.forced;
    if (!got && !id.empty() && status_ == done) status_ = doneWithLosses;
    if (json_) {
        Json item = {{"file", name}, {"id", id}, {"kind", "pdb"}};
        if (got) item["path"] = symbols.debugPath;
        if (!symbols.imagePath.empty()) item["image"] = symbols.imagePath;
        if (!got) item["error"] = symbols.tried.empty() ? "not found" : symbols.tried.back();
        item["tried"] = symbols.tried;
        results_.push_back(std::move(item));
    } else if (got) {
        fmt::print("{}: pdb in {}\n", printable(name), printable(symbols.debugPath));
    } else {
        printError(name, id.empty() ? "records no PDB"
                         : symbols.tried.empty()
                             ? "its PDB was not found"
                             : "its PDB was not found: " + printable(symbols.tried.back()));
    }
}

void FetchCommand::fetchElf(const Module& module, const ModuleSymbols& symbols) {
    if (module.id.kind != ModuleId::Kind::build_id || module.path.starts_with('[')) return;
    if (symbols.imagePath.empty())
        fetchByBuildId(module.path, module.id.bytes, DebuginfodKind::executable);
    if (symbols.kind != SymbolKind::dwarf)
        fetchByBuildId(module.path, module.id.bytes, DebuginfodKind::debuginfo);
}

void FetchCommand::fetchByBuildId(const std::string& name, const std::vector<std::byte>& id,
                                  DebuginfodKind kind) {
    DebuginfodOptions how;
    how.progress = options_.locator.progress;
    const auto fetched = debuginfodFetch(options_.debuginfodUrls, id, kind, how);
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

}  // namespace icecore::app
