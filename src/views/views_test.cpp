#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "views/address_map.h"
#include "views/analysis_html.h"
#include "views/analysis_json.h"
#include "views/analysis_text.h"
#include "views/html_text.h"
#include "views/text_writer.h"

namespace icecore {
namespace {

TEST(HtmlText, EscapesAndShowsControlCharacters) {
    EXPECT_EQ(escapeHtml("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
    EXPECT_EQ(escapeHtml("x\x1b[31m\xff"), "x\\x1b[31m\\xff");
    EXPECT_EQ(escapeHtml("grün"), "grün");
}

TEST(TextWriter, WrapsAtBlanksAndCountsCharactersNotBytes) {
    TextWriter out(false, 22);
    out.paragraph("eins zwei drei vier fünf sechs");
    EXPECT_EQ(out.take(), "eins zwei drei vier\nfünf sechs\n");
    TextWriter fact(false, 40);
    fact.fact("Label", "some text that is longer than that");
    EXPECT_EQ(fact.take(), "Label          some text that is longer\n               than that\n");
    TextWriter unbroken(false, 20);
    unbroken.paragraph(std::string(45, 'x'));
    EXPECT_EQ(unbroken.take(), std::string(20, 'x') + "\n" + std::string(20, 'x') + "\nxxxxx\n");
}

TEST(TextWriter, ShortensPathsFromTheLeft) {
    TextWriter out(false, 60);
    out.frame("   0", "crasher!boom+0x12", "/a/very/long/way/to/the/source/of/crasher.cpp:31", "",
              Ink::plain);
    const std::string line = out.take();
    EXPECT_LE(columnsOf(line), 61U);
    EXPECT_TRUE(line.ends_with("crasher.cpp:31\n"));
    EXPECT_NE(line.find("…"), std::string::npos);
}

TEST(TextWriter, NeverPassesControlCharactersOn) {
    TextWriter out(true, 0);
    out.paragraph("evil\x1b]0;title\x07\nnext", Ink::bad);
    EXPECT_EQ(out.take(), "\x1b[1;31mevil\\x1b]0;title\\x07\\x0anext\x1b[0m\n");
}

/// A snapshot whose every text is hostile.
struct Hostile {
    Snapshot snapshot;
    Analysis analysis;
    Hostile() {
        const std::string evil = "</td><script>alert(1)</script>\x1b[2J\xc3\x28\"'";
        Process process;
        process.system.os = Os::linux_os;
        process.system.arch = Arch::x86_64;
        process.name = process.executable = evil;
        process.commandLine = {evil, evil};
        Thread thread;
        thread.id = 7;
        thread.name = evil;
        process.threads.items.push_back(thread);
        Module module;
        module.range = Range::ofSize(0x400000, 0x1000);
        module.path = evil;
        process.modules.items.push_back(module);
        Region region;
        region.range = Range::ofSize(0x400000, 0x1000);
        region.name = evil;
        region.protection.read = true;
        process.regions.items.push_back(region);
        Exception exception;
        exception.threadId = 7;
        exception.code = 11;
        process.exception = exception;
        UnloadedModule unloaded;
        unloaded.range = Range::ofSize(0x900000, 0x1000);
        unloaded.path = evil;
        process.unloadedModules.items.push_back(unloaded);
        snapshot.process = std::move(process);
        snapshot.provenance.path = evil;
        NamedStack stack;
        stack.threadId = 7;
        NamedFrame frame;
        frame.module = &snapshot.process->modules.items.front();
        frame.function = frame.file = evil;
        frame.line = 3;
        stack.frames.push_back(frame);
        analysis.stacks.push_back(stack);
        analysis.activities = {evil};
        analysis.groups = {{{0}, evil}};
        analysis.symbols = {SymbolKind::none};
        analysis.exceptionName = "SIGSEGV";
        analysis.exceptionText = evil;
        analysis.verdict.summary = analysis.verdict.bucket = evil;
        analysis.verdict.thread = 7;
        analysis.verdict.blamedFrame = 0;
        analysis.fault = Fault();
        analysis.fault->address = 0x400010;
        analysis.findings = {{evil, {evil}, Confidence::high}};
        analysis.issues.loss(evil, evil);
    }
};

/// What is wrong with a page's markup; empty when each element is closed where it must be, each
/// attribute is quoted, and text has no stray signs.
std::string markupFault(std::string_view page) {
    std::vector<std::string> open;
    const auto fault = [&](std::string_view what, std::size_t at) {
        return std::string(what) + ": " + std::string(page.substr(at, 60));
    };
    for (std::size_t at = 0; at < page.size();) {
        if (page[at] == '&') {
            const std::size_t end = page.find(';', at);
            if (end == std::string_view::npos || end - at > 8) return fault("stray &", at);
            at = end + 1;
            continue;
        }
        if (page[at] == '>') {
            // The style sheet has none either.
            return fault("stray >", at);
        }
        if (page[at] != '<') {
            ++at;
            continue;
        }
        std::size_t end = at;
        bool quoted = false;
        while (end < page.size() && (quoted || page[end] != '>')) {
            if (page[end] == '"') quoted = !quoted;
            ++end;
        }
        if (end == page.size()) return fault("open tag", at);
        std::string_view tag = page.substr(at + 1, end - at - 1);
        at = end + 1;
        if (tag.starts_with('!')) continue;
        const bool closing = tag.starts_with('/');
        if (closing) tag.remove_prefix(1);
        const bool empty = tag.ends_with('/');
        const std::string name(tag.substr(0, tag.find_first_of(" /")));
        if (closing) {
            if (open.empty() || open.back() != name) return fault("closes another", end);
            open.pop_back();
            continue;
        }
        // Every attribute is name="value".
        for (std::size_t equals = tag.find('='); equals != std::string_view::npos;
             equals = tag.find('=', equals)) {
            if (equals + 1 >= tag.size() || tag[equals + 1] != '"')
                return fault("unquoted attribute", end);
            equals = tag.find('"', equals + 2);
            if (equals == std::string_view::npos) return fault("open quote", end);
        }
        if (!empty && name != "meta") open.push_back(name);
    }
    return open.empty() ? "" : "not closed: " + open.back();
}

TEST(Page, IsWellFormedAndNeedsNothingElse) {
    Hostile hostile;
    for (const bool regions : {true, false}) {
        if (!regions) hostile.snapshot.process->regions.items.clear();
        const std::string page = analysisHtml(hostile.snapshot, hostile.analysis);
        EXPECT_EQ(markupFault(page), "");
        for (const char* outside : {"http:", "https:", "src=", "url(", "@import", "<link"})
            EXPECT_EQ(page.find(outside), std::string::npos) << outside;
        EXPECT_NE(page.find("<svg"), std::string::npos);
        // The verdict comes first, then stacks, picture and modules.
        const std::array order = {page.find("<header"), page.find("Threads (1)"),
                                  page.find("Address space"), page.find("Modules (1)"),
                                  page.find("1 unloaded")};
        EXPECT_TRUE(std::ranges::is_sorted(order));
        EXPECT_NE(order.back(), std::string::npos);
    }
    EXPECT_NE(markupFault("<p><b>x</p></b>"), "") << "and it would be seen";
    EXPECT_NE(markupFault("<p class=x>x</p>"), "");
    EXPECT_NE(markupFault("<p>a & b</p>"), "");
}

TEST(HostileText, IsDefusedInEveryView) {
    const Hostile hostile;
    const std::string html = analysisHtml(hostile.snapshot, hostile.analysis);
    EXPECT_EQ(html.find("<script"), std::string::npos);
    EXPECT_EQ(html.find('\x1b'), std::string::npos);
    const std::string text = analysisText(hostile.snapshot, hostile.analysis, {});
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find('\xc3'), std::string::npos);
    const Json json = analysisJson(hostile.snapshot, hostile.analysis);
    const std::string dumped = json.dump(1, ' ', false, Json::error_handler_t::replace);
    EXPECT_TRUE(Json::accept(dumped));
}

TEST(AnalysisJson, FollowsTheSchema) {
    const Hostile hostile;
    const Json json = analysisJson(hostile.snapshot, hostile.analysis);
    EXPECT_EQ(json["schema"], "icecore.analysis/1");
    for (const char* part : {"dump", "system", "process", "exception", "threads", "modules",
                             "verdict", "findings", "issues"})
        EXPECT_TRUE(json.contains(part)) << part;
    EXPECT_EQ(json["exception"]["code"], "0xb");
    EXPECT_EQ(json["exception"]["thread"], 7);
    EXPECT_EQ(json["exception"]["fault_address"], "0x400010");
    const Json& frame = json["threads"][0]["frames"][0];
    EXPECT_EQ(frame["line"], 3);
    EXPECT_EQ(frame["trust"], "context");
    EXPECT_EQ(frame["inline"], false);
    EXPECT_EQ(frame["module"], json["modules"][0]["name"]);
    EXPECT_EQ(json["modules"][0]["symbols"], "none");
    EXPECT_EQ(json["findings"][0]["confidence"], "high");
}

/// `trust` has no other words than the schema's: what the processor vouches for is told beside it.
TEST(AnalysisJson, AFrameByTheShadowStackHasAFieldOfItsOwn) {
    Hostile hostile;
    hostile.analysis.stacks[0].frames[0].trust = Trust::shadow_stack;
    const Json frame = analysisJson(hostile.snapshot, hostile.analysis)["threads"][0]["frames"][0];
    EXPECT_EQ(frame["trust"], "frame-pointer");
    EXPECT_EQ(frame["shadow_stack"], true);
    const std::string text = analysisText(hostile.snapshot, hostile.analysis, {});
    EXPECT_NE(text.find("(by the shadow stack)"), std::string::npos) << text;
}

TEST(AnalysisJson, WhatIsKnownOfAFaultAndABugCheckIsThere) {
    Hostile hostile;
    hostile.analysis.fault->strayJump = true;
    hostile.analysis.fault->oneBitFrom = 0x7fff0000;
    hostile.analysis.fault->patchedCode = "0x1: cc in memory";
    hostile.analysis.verdict.kind = "NULL_POINTER_READ";
    hostile.analysis.verdict.hash = "{1}";
    const Json json = analysisJson(hostile.snapshot, hostile.analysis);
    EXPECT_EQ(json["exception"]["stray_jump"], true);
    EXPECT_EQ(json["exception"]["one_bit_from"], "0x7fff0000");
    EXPECT_EQ(json["exception"]["patched_code"], "0x1: cc in memory");
    EXPECT_EQ(json["verdict"]["kind"], "NULL_POINTER_READ");
    EXPECT_EQ(json["verdict"]["hash"], "{1}");
    BugCheck check;
    check.code = 0xd1;
    check.irql = 2;
    check.trapFrame = 0xfffff800;
    check.driver = "faulty.sys";
    hostile.analysis.bugCheck = check;
    const Json told = analysisJson(hostile.snapshot, hostile.analysis)["bugcheck"];
    EXPECT_EQ(told["irql"], "0x2");
    EXPECT_EQ(told["trap_frame"], "0xfffff800");
    EXPECT_EQ(told["driver"], "faulty.sys");
}

TEST(AddressMap, DrawsRegionsAndMarks) {
    const Hostile hostile;
    const std::string svg = addressMapSvg(*hostile.snapshot.process, hostile.analysis);
    EXPECT_NE(svg.find("<rect"), std::string::npos);
    EXPECT_NE(svg.find("fault 0x400010"), std::string::npos);
    EXPECT_EQ(addressMapSvg(Process(), Analysis()), "");
}

TEST(AddressMap, WithoutRegionsShowsModulesAndStacks) {
    Process process;
    Module module;
    module.range = Range::ofSize(0x400000, 0x2000);
    module.path = "a/program.exe";
    process.modules.items.push_back(module);
    Thread thread;
    thread.id = 5;
    thread.stack = Range::ofSize(0x900000, 0x1000);
    process.threads.items.push_back(thread);
    const std::string svg = addressMapSvg(process, Analysis());
    EXPECT_NE(svg.find("class=\"image\""), std::string::npos) << svg;
    EXPECT_NE(svg.find("program.exe"), std::string::npos);
    EXPECT_NE(svg.find("stack of thread 5"), std::string::npos);
}

}  // namespace
}  // namespace icecore
