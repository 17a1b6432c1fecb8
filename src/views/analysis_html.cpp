#include "views/analysis_html.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "base/time_text.h"
#include "views/address_map.h"
#include "views/html_text.h"

namespace icecore {

namespace {

constexpr std::string_view style = R"(
:root { --ink:#1c2733; --faint:#647383; --line:#d8e0e8; --paper:#fff; --ground:#f3f6f9;
  --bad:#b3261e; --good:#1b6e3c; --accent:#16609c; }
@media (prefers-color-scheme: dark) { :root { --ink:#dfe7ee; --faint:#8fa0b0; --line:#33404d;
  --paper:#18212a; --ground:#10171e; --bad:#ff8a80; --good:#7fd69b; --accent:#7cc0f5; } }
* { box-sizing:border-box } body { margin:0; background:var(--ground); color:var(--ink);
  font:15px/1.5 system-ui,"Segoe UI",Roboto,"DejaVu Sans",sans-serif }
main { max-width:1200px; margin:0 auto; padding:24px 16px 64px }
section, header { background:var(--paper); border:1px solid var(--line); border-radius:8px;
  padding:16px 24px; margin:0 0 16px; overflow-x:auto }
header { border-left:6px solid var(--bad) } header.healthy { border-left-color:var(--good) }
h1 { font-size:22px; margin:4px 0 8px; line-height:1.35; overflow-wrap:anywhere }
h2 { font-size:16px; margin:0 0 8px } .kind { color:var(--bad); font-weight:600; margin:0 }
.healthy .kind { color:var(--good) } .faint { color:var(--faint) }
code, td.mono, .frames td { font-family:ui-monospace,"Cascadia Mono","DejaVu Sans Mono",monospace;
  font-size:13px } dl { display:grid; grid-template-columns:max-content 1fr; gap:2px 16px; margin:0 }
dt { color:var(--faint) } dd { margin:0; overflow-wrap:anywhere }
table { border-collapse:collapse; width:100% } td, th { text-align:left; padding:2px 12px 2px 0;
  vertical-align:top } th { color:var(--faint); font-weight:500 }
.frames td { border-top:1px solid var(--line); overflow-wrap:anywhere }
.frames td:first-child { width:3em; color:var(--faint) } .frames td:nth-child(3) { width:34% }
.frames td:last-child { width:1%; white-space:nowrap; padding-right:6px }
.frames td:first-child { padding-left:6px }
.frames tr.blamed td { background:color-mix(in srgb, var(--bad) 14%, transparent) }
.frames tr.guess td { color:var(--faint); font-style:italic }
details { border-top:1px solid var(--line); padding:6px 0 } summary { cursor:pointer }
li { margin:2px 0 } .confidence { border:1px solid var(--line); border-radius:9px; padding:0 8px;
  font-size:12px; color:var(--faint) } svg { width:100%; height:auto; min-width:760px }
svg text { font:11px ui-monospace,"DejaVu Sans Mono",monospace; fill:var(--faint) }
rect.code { fill:#2e7dd1 } rect.image { fill:#9cc4ec } rect.heap { fill:#e0912f }
rect.stack { fill:#7a4fc2 } rect.anon { fill:#f2c987 } rect.file { fill:#9fd3b2 }
rect.shared { fill:#4fa36f } rect.special { fill:#a9b4be } rect.guard { fill:#d9848f }
path.mark, path.mark-bad { stroke:var(--ink); stroke-width:1.5; fill:none }
path.mark-bad { stroke:var(--bad) } svg text.mark { fill:var(--ink) }
svg text.mark-bad { fill:var(--bad); font-weight:700 }
.legend span { display:inline-block; margin-right:14px; font-size:13px; color:var(--faint) }
.legend i { display:inline-block; width:11px; height:11px; border-radius:2px; margin-right:5px }
)";

constexpr std::string_view legend =
    R"(<p class="legend"><span><i style="background:#2e7dd1"></i>code</span>)"
    R"(<span><i style="background:#9cc4ec"></i>module data</span>)"
    R"(<span><i style="background:#e0912f"></i>heap</span>)"
    R"(<span><i style="background:#7a4fc2"></i>stack</span>)"
    R"(<span><i style="background:#f2c987"></i>anonymous</span>)"
    R"(<span><i style="background:#9fd3b2"></i>file</span>)"
    R"(<span><i style="background:#4fa36f"></i>shared</span>)"
    R"(<span><i style="background:#d9848f"></i>no access</span>)"
    R"(<span><i style="background:#a9b4be"></i>kernel's</span></p>)";

class Page {
public:
    Page(const Snapshot& snapshot, const Analysis& analysis)
        : snapshot_(snapshot), process_(*snapshot.process), analysis_(analysis) {}
    std::string write();

private:
    void header();
    void findings();
    void threads();
    void group(const ThreadGroup& group, bool open);
    void frames(const NamedStack& stack);
    void picture();
    void modules();
    void issues();
    void fact(std::string_view label, std::string_view text, bool code = false);
    [[nodiscard]] std::string nameOf(std::size_t member) const;

    const Snapshot& snapshot_;
    const Process& process_;
    const Analysis& analysis_;
    std::string out_;
};

std::string Page::nameOf(std::size_t member) const {
    const std::uint64_t id = analysis_.stacks[member].threadId;
    const Thread* thread = process_.thread(id);
    return thread == nullptr || thread->name.empty() ? fmt::format("{}", id)
                                                     : fmt::format("{} ({})", id, thread->name);
}

void Page::fact(std::string_view label, std::string_view text, bool code) {
    if (text.empty()) return;
    const std::string safe = escapeHtml(text);
    out_ += fmt::format("<dt>{}</dt><dd>{}</dd>\n", label,
                        code ? fmt::format("<code>{}</code>", safe) : safe);
}

void Page::header() {
    const Verdict& verdict = analysis_.verdict;
    out_ += fmt::format("<header class=\"{}\">\n", verdict.healthy ? "healthy" : "fault");
    if (!analysis_.exceptionName.empty()) {
        out_ += fmt::format("<p class=\"kind\">{}: {}</p>\n", escapeHtml(analysis_.exceptionName),
                            escapeHtml(analysis_.exceptionText));
    }
    out_ += fmt::format("<h1>{}</h1>\n<dl>\n", escapeHtml(verdict.summary));
    fact("Bucket", verdict.bucket, true);
    if (verdict.followupIp)
        fact("Blamed", fmt::format("{} at {}", verdict.symbolName, hex(*verdict.followupIp)), true);
    if (const auto& fault = analysis_.fault) {
        if (const auto& instruction = fault->instruction) {
            fact("Instruction",
                 fmt::format("{}: {} {}", hex(instruction->address), instruction->mnemonic,
                             instruction->operands),
                 true);
        }
        if (!fault->operand.empty())
            fact("Operand", fault->operand + " with " + fault->registers, true);
        if (fault->address) {
            fact("Fault address",
                 fmt::format("{} ({})", hex(*fault->address), toString(fault->access)), true);
        }
    }
    const Provenance& from = snapshot_.provenance;
    fact("Dump", fmt::format("{} ({}, {})", from.path, from.format, humanBytes(from.bytes)));
    if (from.time) fact("Taken", timeText(*from.time));
    fact("Process",
         fmt::format("{}pid {}", process_.name.empty() ? "" : process_.name + ", ", process_.pid));
    fact("Command", fmt::format("{}", fmt::join(process_.commandLine, " ")), true);
    const SystemInfo& system = process_.system;
    fact("System", fmt::format("{} {} {} {}", toString(system.os), toString(system.arch),
                               system.distribution, system.version));
    out_ += "</dl>\n</header>\n";
}

void Page::findings() {
    if (analysis_.findings.empty()) return;
    out_ += "<section>\n<h2>Findings</h2>\n<ul>\n";
    for (const Finding& finding : analysis_.findings) {
        out_ += fmt::format("<li>{} <span class=\"confidence\">{}</span>",
                            escapeHtml(finding.claim), toString(finding.confidence));
        if (!finding.evidence.empty()) {
            out_ += "<ul class=\"faint\">";
            for (const std::string& evidence : finding.evidence)
                out_ += fmt::format("<li>{}</li>", escapeHtml(evidence));
            out_ += "</ul>";
        }
        out_ += "</li>\n";
    }
    out_ += "</ul>\n</section>\n";
}

void Page::frames(const NamedStack& stack) {
    constexpr std::size_t most = 256;
    const bool own = analysis_.verdict.thread == stack.threadId;
    out_ += "<table class=\"frames\">\n";
    for (std::size_t i = 0; i < std::min(stack.frames.size(), most); ++i) {
        const NamedFrame& frame = stack.frames[i];
        const bool blamed = own && analysis_.verdict.blamedFrame == i;
        const bool guess = frame.trust == Trust::scan;
        std::string place(frame.module != nullptr ? frame.module->shortName() : std::string_view());
        if (frame.function.empty()) {
            place =
                place.empty() ? hex(frame.pc) : fmt::format("{}+{:#x}", place, frame.moduleOffset);
        } else {
            if (!place.empty()) place += '!';
            place += frame.function;
        }
        std::string source;
        if (!frame.file.empty()) source = fmt::format("{}:{}", frame.file, frame.line);
        out_ += fmt::format(
            "<tr{}><td>{}</td><td>{}</td><td>{}</td><td class=\"faint\">{}</td></tr>\n",
            blamed  ? " class=\"blamed\""
            : guess ? " class=\"guess\""
                    : "",
            i, escapeHtml(place), escapeHtml(source),
            frame.signalFrame ? std::string_view("signal handler called") : toString(frame.trust));
    }
    out_ += "</table>\n";
    if (stack.frames.size() > most)
        out_ += fmt::format("<p class=\"faint\">… and {} more frames</p>\n",
                            stack.frames.size() - most);
    if (!stack.stack.note.empty())
        out_ += fmt::format("<p class=\"faint\">{}</p>\n", escapeHtml(stack.stack.note));
}

void Page::group(const ThreadGroup& group, bool open) {
    constexpr std::size_t named = 12;
    std::string title = group.members.size() == 1
                            ? "Thread "
                            : fmt::format("{} threads at the same place: ", group.members.size());
    for (std::size_t i = 0; i < std::min(group.members.size(), named); ++i)
        title += (i == 0 ? "" : ", ") + nameOf(group.members[i]);
    if (group.members.size() > named)
        title += fmt::format(", and {} more", group.members.size() - named);
    std::size_t shown = group.members.front();
    for (const std::size_t member : group.members) {
        if (process_.exception &&
            analysis_.stacks[member].threadId == process_.exception->threadId) {
            shown = member;
            title += group.members.size() == 1 ? ", crashed" : ": " + nameOf(member) + " crashed";
        }
    }
    if (!group.activity.empty()) title += ", " + group.activity;
    out_ +=
        fmt::format("<details{}><summary>{}</summary>\n", open ? " open" : "", escapeHtml(title));
    frames(analysis_.stacks[shown]);
    out_ += "</details>\n";
}

void Page::threads() {
    out_ += fmt::format("<section>\n<h2>Threads ({})</h2>\n", process_.threads.size());
    bool first = true;
    for (const ThreadGroup& each : analysis_.groups) {
        group(each, first);
        first = false;
    }
    out_ += "</section>\n";
}

void Page::picture() {
    const std::string svg = addressMapSvg(process_, analysis_);
    if (svg.empty()) return;
    out_ += "<section>\n<h2>Address space</h2>\n";
    out_ += legend;
    out_ += svg;
    out_ +=
        "<p class=\"faint\">Ascending; a width grows with the logarithm of a region's size; a new "
        "row begins where little is mapped.</p>\n</section>\n";
}

void Page::modules() {
    out_ += fmt::format(
        "<section>\n<h2>Modules ({})</h2>\n<table>\n<tr><th>Base</th><th>Size</th>"
        "<th>Symbols</th><th>Path</th><th>Id</th></tr>\n",
        process_.modules.size());
    for (std::size_t i = 0; i < process_.modules.size(); ++i) {
        const Module& module = process_.modules[i];
        const SymbolKind kind =
            i < analysis_.symbols.size() ? analysis_.symbols[i] : SymbolKind::none;
        out_ += fmt::format(
            "<tr><td class=\"mono\">{}</td><td>{}</td><td>{}</td><td>{}</td>"
            "<td class=\"mono faint\">{}</td></tr>\n",
            hex(module.range.begin()), humanBytes(module.range.size()), toString(kind),
            escapeHtml(module.path), escapeHtml(module.id.text()));
    }
    out_ += "</table>\n";
    if (!process_.unloadedModules.empty()) {
        out_ += fmt::format("<details><summary>{} unloaded</summary>\n<table>\n",
                            process_.unloadedModules.size());
        for (const UnloadedModule& module : process_.unloadedModules) {
            out_ += fmt::format("<tr><td class=\"mono\">{}</td><td>{}</td><td>{}</td></tr>\n",
                                hex(module.range.begin()), humanBytes(module.range.size()),
                                escapeHtml(module.path));
        }
        out_ += "</table>\n</details>\n";
    }
    out_ += "</section>\n";
}

void Page::issues() {
    if (analysis_.issues.empty()) return;
    out_ += "<section>\n<h2>What is missing or odd in this dump</h2>\n<ul>\n";
    for (const Issue& issue : analysis_.issues.items())
        out_ += fmt::format("<li>{}</li>\n", escapeHtml(issue.describe()));
    if (analysis_.issues.dropped() > 0)
        out_ += fmt::format("<li>and {} more</li>\n", analysis_.issues.dropped());
    out_ += "</ul>\n</section>\n";
}

std::string Page::write() {
    out_ = fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n"
        "<title>{}: {}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n",
        escapeHtml(process_.name), escapeHtml(analysis_.verdict.bucket), style);
    header();
    findings();
    threads();
    picture();
    modules();
    issues();
    out_ += "</main>\n</body>\n</html>\n";
    return std::move(out_);
}

}  // namespace

std::string analysisHtml(const Snapshot& snapshot, const Analysis& analysis) {
    return Page(snapshot, analysis).write();
}

}  // namespace icecore
