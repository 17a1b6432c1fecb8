#include <gtest/gtest.h>

#include "views/address_map.h"
#include "views/analysis_html.h"
#include "views/analysis_json.h"
#include "views/analysis_text.h"
#include "views/html_text.h"
#include "views/text_writer.h"
#include "views/time_text.h"

namespace icecore {
namespace {

TEST(HtmlText, EscapesAndShowsControlCharacters) {
    EXPECT_EQ(escapeHtml("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
    EXPECT_EQ(escapeHtml("x\x1b[31m\xff"), "x\\x1b[31m\\xff");
    EXPECT_EQ(escapeHtml("grün"), "grün");
}

TEST(TimeText, OfAnyMoment) {
    EXPECT_EQ(isoTime(TimePoint(std::chrono::seconds(1764000000))), "2025-11-24T16:00:00Z");
    EXPECT_EQ(timeText(TimePoint(std::chrono::seconds(-1))), "1969-12-31 23:59:59 UTC");
    EXPECT_FALSE(isoTime(TimePoint::max()).empty());
    EXPECT_FALSE(isoTime(TimePoint::min()).empty());
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

TEST(AddressMap, DrawsRegionsAndMarks) {
    const Hostile hostile;
    const std::string svg = addressMapSvg(*hostile.snapshot.process, hostile.analysis);
    EXPECT_NE(svg.find("<rect"), std::string::npos);
    EXPECT_NE(svg.find("fault 0x400010"), std::string::npos);
    EXPECT_EQ(addressMapSvg(Process(), Analysis()), "");
}

}  // namespace
}  // namespace icecore
