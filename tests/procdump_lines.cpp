// Every command line that stands in the seed, in ProcDump's documentation for Windows (its page,
// and
// `-? -e`) and in the README of ProcDump for Linux, run against a process that meets it and against
// one that does not. Names and numbers are those of our processes; where a line waits for the
// default ten seconds, "-s 1" is put behind it.
#include <gtest/gtest.h>

#include <future>

#include "formats/format.h"
#include "support/procdump.h"

namespace icecore::tests {
namespace {

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
        text.replace(at, what.size(), with);
    return text;
}

/// A process with a name of its own, as the lines with names want it: events, told what to be.
class Named {
public:
    Named(const std::string& kind, const std::vector<std::string>& deeds)
        : name_(kind + std::to_string(::getpid() % 100'000)) {
        std::filesystem::create_symlink(target("events"), scratch_.file(name_));
        victim_.emplace(scratch_.file(name_));
        ready_ = victim_->line() == "ready";
        for (const std::string& deed : deeds) {
            victim_->tell(deed + "\n");
            ready_ = ready_ && victim_->line() == "ok";
        }
    }
    [[nodiscard]] bool ready() const { return ready_; }
    [[nodiscard]] Victim& victim() { return *victim_; }
    [[nodiscard]] std::string fill(const std::string& line) const {
        return replaced(replaced(line, "NAME", name_), "PID", std::to_string(victim_->pid()));
    }

private:
    Scratch scratch_;
    std::string name_;
    std::optional<Victim> victim_;
    bool ready_ = false;
};

struct LevelLine {
    const char* line;
    std::size_t files;  ///< that the busy process gives
    bool twin = true;   ///< the idle one gives none
    const char* suffix = "";
};

// Levels trace nobody, so several lines watch the same process at once.
TEST(ProcdumpLines, LevelsMetByTheBusyAndNotByTheIdle) {
    // One for each thing that can be had too much of.
    std::vector<std::string> burns(6, "burn 1");  // a loaded machine leaves each only a part
    Named burner("burner", burns);
    Named big("big", {"memory 520"});
    Named many("many", {"park 90"});
    Named rich("rich", {"handles 10001"});
    Named idle("idle", {});
    for (const Named* each : {&burner, &big, &many, &rich, &idle})
        ASSERT_TRUE(each->ready());
    const std::pair<Named*, LevelLine> lines[] = {
        {&burner, {"-n 3 -s 1 -c 20 NAME", 3}},
        {&burner, {"-c 25 -n 3 PID", 3, true, "-s 1"}},
        {&burner, {"-c 25 -n 3 -s 1 PID", 3}},
        {&burner, {"-cl 10 -c 25 PID", 1, false, "-s 1"}},
        {&burner, {R"(NAME -s 1 -p "\Processor(_Total)\% Processor Time" 20)", 1, false}},
        // The seed.
        {&idle, {"-ma NAME", 1, false}},
        {&idle, {"-ma PID", 1, false}},
        {&big, {"-m 500 -ma NAME", 1, true, "-s 1"}},
        {&many, {R"(-p "\Process(NAME_PID)\Thread Count" 85 -ma PID)", 1, true, "-s 1"}},
        // Windows.
        {&idle, {"NAME", 1, false}},
        {&idle, {"-mm -ma PID", 2, false}},
        {&idle, {"-n 3 -s 1 NAME", 3, false}},
        {&rich, {R"(-ma NAME -p "\Process(NAME)\Handle Count" 10000)", 1, true, "-s 1"}},
        {&rich, {R"(-ma PID -p "\Process(NAME#0)\Handle Count" 10000)", 1, true, "-s 1"}},
        {&idle, {"-r -ma -n 5 -s 1 NAME", 5, false}},
        {&idle, {"-r 5 -ma -n 5 -s 1 NAME", 5, false}},
        // Linux.
        {&idle, {"PID", 1, false}},
        {&idle, {"-n 3 PID", 3, false, "-s 1"}},
        {&idle, {"-n 3 -s 1 PID", 3, false}},
        {&big, {"-c 65 -m 100 PID", 1, true, "-s 1"}},
        {&big, {"-m 100,200 PID", 2, true, "-s 1"}},
        {&idle, {"PID .", 1, false}},
        {&idle, {"PID dump", 1, false}},
        {&idle, {"-w NAME", 1, false}},
    };
    struct Course {
        ProcdumpRun met, missed;
        std::future<ShellOutput> done, twin;
    };
    std::vector<std::unique_ptr<Course>> courses;
    const auto begin = [&](Named& who, const LevelLine& each) {
        auto course = std::make_unique<Course>();
        const std::string line = std::string(each.suffix) + " " + each.line;
        course->done = std::async(std::launch::async, [&who, line, at = course.get()] {
            return at->met.run(who.fill(line));
        });
        if (each.twin) {
            course->twin = std::async(std::launch::async, [&idle, line, at = course.get()] {
                return at->missed.run(idle.fill(line), 5);
            });
        }
        courses.push_back(std::move(course));
    };
    // Some at a time: the machine has others to serve.
    constexpr std::size_t atOnce = 8;
    for (std::size_t i = 0; i < std::size(lines); ++i) {
        while (courses.size() < std::min(std::size(lines), i + atOnce))
            begin(*lines[courses.size()].first, lines[courses.size()].second);
        const LevelLine& each = lines[i].second;
        const ShellOutput done = courses[i]->done.get();
        EXPECT_EQ(done.status, 0) << each.line << "\n" << done.text;
        const auto names = courses[i]->met.written();
        EXPECT_EQ(names.size(), each.files) << each.line << "\n" << done.text;
        const bool minidump = std::string(each.line).find("-ma") != std::string::npos;
        for (const std::string& name : names) {
            const auto dump = openDump(courses[i]->met.file(name));
            ASSERT_TRUE(dump) << dump.error().describe();
            EXPECT_EQ(dump->provenance.format, minidump ? "minidump" : "core") << each.line;
            EXPECT_EQ(dump->process->threads.size(), lines[i].first == &burner ? 7U
                                                     : lines[i].first == &many ? 91U
                                                                               : 1U)
                << each.line;
        }
        if (i == 4) burner.victim().kill();
        if (!each.twin) continue;
        const ShellOutput twin = courses[i]->twin.get();
        EXPECT_TRUE(courses[i]->missed.written().empty()) << each.line << "\n" << twin.text;
    }
    EXPECT_TRUE(idle.victim().alive());
}

struct EventLine {
    const char* line;
    const char* twin;  ///< what does not meet it
    const char* deed;  ///< what does, as often as the line wants dumps
    std::size_t files;
};

// A process is traced by one at a time: each line has one of its own.
TEST(ProcdumpLines, EventsMetByTheDeedAndNotByItsTwin) {
    const std::vector<EventLine> lines = {
        // The seed.
        {"-e 1 -ma PID", "thread", "throw runtime once", 1},
        {R"(-e 1 -f "System.NullReferenceException" -ma PID)", "throw runtime another",
         "throw runtime System.NullReferenceException: not set", 1},
        // Windows.
        {"-ma -e NAME", "throw runtime caught", "crash", 1},
        {"-ma -e 1 NAME", "thread", "throw logic x", 1},
        {"-ma -l NAME", "print to the wrong stream", "log something happened", 1},
        {"-ma -n 10 -e 1 NAME", "thread", "throw-many 10", 10},
        {"-ma -n 2 -e 1 -f NotFound NAME", "throw-many 3",
         "throw runtime FileNotFound\nthrow logic NotFound again", 2},
        {"-ma -n 2 -l -f NotFound NAME", "log all is well", "log NotFound: a\nlog NotFound: b", 2},
        {"-e -w NAME", "throw runtime caught", "abort", 1},
        {"-mp -e NAME", "throw runtime caught", "raise 8", 1},
        {"-e 1 -f NotFound NAME", "throw-many 3", "throw runtime FileNotFound", 1},
        // Linux.
        {"-sig 11 PID", "raise 17", "raise 11", 1},
        {"-mc 1 -sig 11 PID", "raise 17", "raise 11", 1},
        {"-e -f System.InvalidOperationException PID", "throw runtime x",
         "uncaught runtime System.InvalidOperationException", 1},
        {"-e -f InvalidOperation PID", "throw runtime x",
         "uncaught runtime System.InvalidOperationException", 1},
        {R"(-e -f "*Invali*Operation*" PID)", "throw runtime x",
         "uncaught runtime System.InvalidOperationException", 1},
        // The other events that both lists of switches name.
        {"-ma -t PID", "thread", "exit 4", 1},
        {"-ma -e 1 -ct -f nothing PID", "raise 17", "thread", 1},
        {"-ma -e 1 -et -f nothing PID", "raise 17", "thread", 1},
        {"-ma -ld -f thread_db PID", "load libBrokenLocale.so.1", "load libthread_db.so.1", 1},
        {"-ma -ud -f BrokenLocale PID", "load libBrokenLocale.so.1", "unload", 1},
    };
    const auto course = [](const EventLine& each, std::size_t number) {
        Named process("e" + std::to_string(number) + "x", {"handle 10"});
        ASSERT_TRUE(process.ready());
        const ProcdumpRun procdump;
        auto done =
            std::async(std::launch::async, [&] { return procdump.run(process.fill(each.line)); });
        ASSERT_TRUE(procdump.begun()) << each.line;
        process.victim().tell(std::string(each.twin) + "\n");
        std::string answer = process.victim().line();
        if (answer != "ok") answer = process.victim().line();  // what it was told to print
        ASSERT_EQ(answer, "ok") << each.line;
        EXPECT_TRUE(procdump.written().empty()) << each.line;
        process.victim().tell(std::string(each.deed) + "\n");
        const ShellOutput output = done.get();
        EXPECT_EQ(output.status, 0) << each.line << "\n" << output.text;
        EXPECT_EQ(procdump.written().size(), each.files) << each.line << "\n" << output.text;
        for (const std::string& name : procdump.written()) {
            const auto dump = openDump(procdump.file(name));
            EXPECT_TRUE(dump) << each.line << ": " << dump.error().describe();
        }
    };
    // Some at a time: the machine has others to serve.
    constexpr std::size_t atOnce = 6;
    for (std::size_t first = 0; first < lines.size(); first += atOnce) {
        std::vector<std::future<void>> running;
        for (std::size_t i = first; i < std::min(lines.size(), first + atOnce); ++i)
            running.push_back(std::async(std::launch::async, course, lines[i], i));
        for (std::future<void>& each : running)
            each.get();
    }
}

TEST(ProcdumpLines, ShowingAndLaunching) {
    const ProcdumpRun procdump;
    const Scratch scratch;
    std::ofstream(scratch.file("deeds")) << "throw runtime seen\ncrash\n";
    const std::string events = target("events");
    // "Display without writing a dump".
    const ShellOutput shown = procdump.run("-e 1 -f \"\" -x " + procdump.folder() + " " + events,
                                           60, scratch.file("deeds"));
    EXPECT_EQ(shown.status, 0) << shown.text;
    EXPECT_NE(shown.text.find("std::runtime_error: seen"), std::string::npos) << shown.text;
    EXPECT_NE(shown.text.find("SIGSEGV"), std::string::npos) << shown.text;
    EXPECT_TRUE(procdump.written().empty());
    // "Launch a process (and monitor it for exceptions)".
    const ShellOutput launched =
        procdump.run("-e -x " + procdump.folder() + " " + events, 60, scratch.file("deeds"));
    EXPECT_EQ(launched.status, 0) << launched.text;
    EXPECT_EQ(procdump.written().size(), 1U) << launched.text;
    // Store applications are Windows' own: nothing of that name can be launched.
    for (const char* app : {"Microsoft.BingMaps_8wekyb3d8bbwe!AppexMaps",
                            "Microsoft.BingMaps_1.2.0.136_x64__8wekyb3d8bbwe"})
        EXPECT_EQ(procdump.run("-e -x . '" + std::string(app) + "'").status, 255) << app;
}

TEST(ProcdumpLines, WhatIsRefusedSaysWhy) {
    const ProcdumpRun procdump;
    const std::pair<const char*, const char*> lines[] = {
        {"-ma -mk -h hang.exe", "kernel"},
        {"-restrack 1234", "eBPF"},
        {"-n 3 -s 5 -restrack nodump 1234", "eBPF"},
        {"-m 100 -restrack 1234", "eBPF"},
        {"-m 100 -restrack nodump 1234", "eBPF"},
        {"-m 100 -restrack -sr 10 1234", "eBPF"},
        {"-m 100 -restrack -fx *cache* 1234", "eBPF"},
        {"-gcm 100,200 1234", ".NET"},
        {"-gcm 1:1,2 1234", ".NET"},
        {"-gcm LOH:100,200 1234", ".NET"},
        {"-gcgen 1", ".NET"},
    };
    for (const auto& [line, reason] : lines) {
        const ShellOutput refused = procdump.run(line);
        EXPECT_EQ(refused.status, 255) << line;
        EXPECT_NE(refused.text.find(reason), std::string::npos) << line << "\n" << refused.text;
    }
    EXPECT_EQ(procdump.run("-? -e").status, 0);
    EXPECT_TRUE(procdump.written().empty());
}

}  // namespace
}  // namespace icecore::tests
