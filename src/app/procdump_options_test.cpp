// Every command line of ProcDump's documentation, of its `-? -e` and of the README of ProcDump for
// Linux, as values.
#include "app/procdump_options.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace icecore::app {
namespace {

using namespace std::chrono_literals;
using monitor::Comparison;

Result<ProcdumpOptions> parse(std::string_view line) {
    std::vector<std::string> arguments;
    for (const std::string_view word : splitBlanks(line))
        arguments.emplace_back(word == "\"\"" ? std::string_view() : word);
    return parseProcdump(arguments);
}

ProcdumpOptions understood(std::string_view line) {
    auto options = parse(line);
    EXPECT_TRUE(options) << line << ": " << options.error().describe();
    return options ? *std::move(options) : ProcdumpOptions{};
}

template <class Kind>
const Kind* only(const ProcdumpOptions& options) {
    return options.plan.triggers.size() == 1 ? std::get_if<Kind>(&options.plan.triggers.front())
                                             : nullptr;
}

TEST(ProcdumpOptions, WithoutATriggerADumpAtOnce) {
    const auto plain = understood("1234");
    EXPECT_EQ(plain.target, "1234");
    EXPECT_FALSE(plain.minidump);
    EXPECT_EQ(plain.types, std::vector<DumpType>{(DumpType{0, true})});
    EXPECT_TRUE(plain.plan.triggers.empty());
    const auto full = understood("-accepteula -ma notepad.exe /tmp/x");
    EXPECT_TRUE(full.minidump);
    EXPECT_TRUE(full.types.at(0).has(DumpFlag::with_full_memory));
    EXPECT_EQ(full.output, "/tmp/x");
    const auto kind = [](std::string_view line) { return understood(line).types.at(0); };
    EXPECT_FALSE(kind("-mm notepad").has(DumpFlag::with_full_memory));
    EXPECT_TRUE(kind("-mp notepad").has(DumpFlag::with_private_read_write_memory));
    EXPECT_TRUE(kind("-mt notepad").has(DumpFlag::filter_memory));
    EXPECT_EQ(toString(kind("-mc 7f 1234")), "coredump_filter=0x7f");
    EXPECT_EQ(toString(kind("-mc 33 1234")), "kernel-default");
    EXPECT_FALSE(parse("-mc 200 1234"));
    // Several in one go, the smallest first.
    const auto both = understood("-ma -mm 4572");
    ASSERT_EQ(both.types.size(), 2U);
    EXPECT_FALSE(both.types[0].has(DumpFlag::with_full_memory));
    EXPECT_TRUE(both.types[1].has(DumpFlag::with_full_memory));
    EXPECT_EQ(understood("-md lib.so 1").callbackLibrary, "lib.so");
    EXPECT_EQ(understood("-dc why 1").comment, "why");
    EXPECT_TRUE(understood("-usegcore 1234").notes.empty());
}

TEST(ProcdumpOptions, DumpsApart) {
    const auto timed = understood("-s 5 -n 3 notepad");
    EXPECT_NE(only<monitor::Timer>(timed), nullptr);
    EXPECT_EQ(timed.plan.count, 3U);
    EXPECT_EQ(timed.plan.gap, 5s);
}

TEST(ProcdumpOptions, Processor) {
    const auto linux = understood("-c 80 -n 3 -s 5 -pf 500 1234");
    ASSERT_NE(only<monitor::CpuLevel>(linux), nullptr);
    EXPECT_EQ(*only<monitor::CpuLevel>(linux), (monitor::CpuLevel{Comparison::atLeast, 80, true}));
    EXPECT_EQ(linux.plan.poll, 500ms);
    EXPECT_EQ(linux.plan.hold, 5s);
    const auto windows = understood("-ma -c 20 -n 3 -s 5 consume");
    EXPECT_EQ(*only<monitor::CpuLevel>(windows),
              (monitor::CpuLevel{Comparison::atLeast, 20, false}));
    const auto core = understood("-ma -cl 20 -u consume");
    EXPECT_EQ(*only<monitor::CpuLevel>(core), (monitor::CpuLevel{Comparison::below, 20, true}));
    EXPECT_FALSE(parse("-u -m 5 consume"));
}

TEST(ProcdumpOptions, Memory) {
    const auto list = understood("-m 100,200 1234");
    EXPECT_EQ(*only<monitor::CommitLevel>(list),
              (monitor::CommitLevel{Comparison::atLeast, {100, 200}}));
    EXPECT_EQ(list.plan.count, 2U);
    EXPECT_EQ(*only<monitor::CommitLevel>(understood("-ml 10 1234")),
              (monitor::CommitLevel{Comparison::below, {10}}));
    EXPECT_FALSE(parse("-m 10,x 1234"));
    EXPECT_FALSE(parse("-m"));
}

TEST(ProcdumpOptions, ThreadsDescriptorsSignals) {
    EXPECT_EQ(only<monitor::ThreadLevel>(understood("-tc 7 1234"))->count, 7U);
    EXPECT_EQ(only<monitor::HandleLevel>(understood("-fc 25 1234"))->count, 25U);
    EXPECT_EQ(only<monitor::SignalSeen>(understood("-sig 10,11 1234"))->numbers,
              (std::vector<int>{10, 11}));
    EXPECT_FALSE(parse("-sig 99 1234"));
}

TEST(ProcdumpOptions, ExceptionsAndFilters) {
    const auto second = understood("-ma -e w3wp.exe");
    EXPECT_EQ(only<monitor::ExceptionSeen>(second)->chance, monitor::Chance::second);
    const auto first = understood("-e 1 -f System.NullReferenceException -ma 1234");
    EXPECT_EQ(only<monitor::ExceptionSeen>(first)->chance, monitor::Chance::first);
    EXPECT_EQ(first.plan.include, std::vector<std::string>{"System.NullReferenceException"});
    const auto shown = understood("-e 1 -f \"\" 1234");
    EXPECT_TRUE(shown.plan.showOnly);
    EXPECT_GT(shown.plan.count, 1000U);
    const auto many = understood("-e -f A,B -fx C 1234");
    EXPECT_EQ(many.plan.include, (std::vector<std::string>{"A", "B"}));
    EXPECT_EQ(many.plan.exclude, (std::vector<std::string>{"C"}));
    EXPECT_EQ(understood("-e -t -ld -ud -ct -et 1234").plan.triggers.size(), 6U);
}

TEST(ProcdumpOptions, WaitLaunchInstall) {
    EXPECT_TRUE(understood("-ma -e -w notepad.exe").waitFor);
    const auto launched = understood("-ma -e -x /tmp/dumps program -n 3");
    EXPECT_EQ(launched.output, "/tmp/dumps");
    EXPECT_EQ(launched.plan.target,
              monitor::WatchTarget(monitor::TargetLaunch{{"program", "-n", "3"}}));
    EXPECT_EQ(launched.plan.count, 1U);
    EXPECT_EQ(understood("-ma -i /var/crash").job, ProcdumpOptions::Job::install);
    EXPECT_EQ(understood("-u").job, ProcdumpOptions::Job::uninstall);
    EXPECT_EQ(understood("-?").job, ProcdumpOptions::Job::help);
    EXPECT_EQ(understood("-? -e").job, ProcdumpOptions::Job::examples);
    const auto gentle = understood("-r 5 -a -at 30 -o -k 1234");
    EXPECT_EQ(gentle.concurrent, 5U);
    EXPECT_TRUE(gentle.avoidOutage);
    EXPECT_EQ(gentle.timeout, 30s);
    EXPECT_EQ(understood("-r 1234").target, "1234");
    EXPECT_EQ(understood("-r 1234").concurrent, 1U);
    EXPECT_EQ(understood("-r 4").target, "4");
    EXPECT_EQ(understood("-cancel 1234").job, ProcdumpOptions::Job::cancel);
    EXPECT_EQ(understood("-pgid 1234").plan.target,
              monitor::WatchTarget(monitor::TargetGroup{1234}));
    EXPECT_NE(only<monitor::HungWindow>(understood("-h hang.exe")), nullptr);
    EXPECT_NE(only<monitor::DebugOutput>(understood("-l w3wp.exe")), nullptr);
}

TEST(ProcdumpOptions, Counters) {
    const auto options =
        parseProcdump({"-p", R"(\Process(w3wp_66666)\Thread Count)", "85", "-ma", "66666"});
    ASSERT_TRUE(options) << options.error().describe();
    EXPECT_EQ(
        *only<monitor::CounterLevel>(*options),
        (monitor::CounterLevel{R"(\Process(w3wp_66666)\Thread Count)", Comparison::atLeast, 85}));
    EXPECT_EQ(options->target, "66666");
    EXPECT_FALSE(parseProcdump({"-p", "Thread Count", "85", "1"}));
}

TEST(ProcdumpOptions, RefusedWithTheReason) {
    for (const char* line : {"-restrack 1234", "-sr 10 1234", "-gcm 10 1234", "-gcgen 2 1234",
                             "-pc System.Runtime x 1234", "-mk 1234", "-i -md x.so"}) {
        const auto refused = parse(line);
        ASSERT_FALSE(refused) << line;
        EXPECT_EQ(refused.error().code, Errc::unsupported) << line;
        EXPECT_GT(refused.error().message.size(), 20U) << line;
    }
    for (const char* line : {"", "-nonsense 1234", "1 2 3", "-n 0 1", "-ma -mc ff 1234", "-a 1234",
                             "-at 0 1", "-pgid name", "-cancel name"}) {
        const auto wrong = parse(line);
        ASSERT_FALSE(wrong) << line;
        EXPECT_EQ(wrong.error().code, Errc::usage) << line;
    }
    // What only Windows has and does no harm is explained.
    EXPECT_EQ(understood("-64 -wer -g -b 1234").notes.size(), 4U);
}

}  // namespace
}  // namespace icecore::app
