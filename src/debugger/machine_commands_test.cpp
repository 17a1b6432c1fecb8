// The two sides of a 32-bit process on 64-bit Windows, in a session.
#include <gtest/gtest.h>

#include "debugger/event_text.h"
#include "debugger/interpreter_fixture.h"

namespace icecore::debugger {
namespace {

/// The made-up process as WOW64: thread 0 runs 64-bit code, thread 1, of the exception, 32-bit code
/// with the code segment that says so.
std::unique_ptr<Session> wow64Session() {
    Snapshot snapshot = syntheticSnapshot();
    Process& process = *snapshot.process;
    process.system.os = Os::windows;
    const auto module = [&](std::uint64_t begin, std::string path) {
        Module made;
        made.range = Range::ofSize(begin, 0x1000);
        made.path = std::move(path);
        process.modules.items.push_back(made);
    };
    module(0x77000000, R"(C:\Windows\SysWOW64\ntdll.dll)");
    module(0x7ffb'1000'0000, R"(C:\Windows\System32\ntdll.dll)");
    module(0x7ffb'2000'0000, R"(C:\Windows\System32\wow64.dll)");
    process.threads[0].context->registers.set(x64::cs, 0x33);
    process.threads[1].context->registers.set(x64::cs, 0x23);
    process.exception->code = 0xc0000005;
    SymbolOptions options;
    options.useDefaultPaths = false;
    auto session = Session::create(std::move(snapshot), options);
    return session ? std::move(*session) : nullptr;
}

class TwoSides : public InterpreterTest {
protected:
    TwoSides() : InterpreterTest(wow64Session()) {}
};

TEST_F(TwoSides, TheOpeningLinesSayWhichItIs) {
    EXPECT_EQ(interpreter_.prompt(), "0:001:x86> ");
    EXPECT_NE(
        bannerText(*session_).find("\nA 32-bit process on 64-bit Windows (WOW64): this is its "
                                   "x86 side; .effmach amd64 goes to the other.\n"),
        std::string::npos);
    EXPECT_EQ(run(".effmach ."), "Effective machine: x64 (AMD64)\n");
    EXPECT_EQ(interpreter_.prompt(), "0:001> ");
    EXPECT_NE(bannerText(*session_).find("this is its x86_64 side; .effmach x86 goes"),
              std::string::npos);
    EXPECT_EQ(bannerText(*syntheticSession()).find("WOW64"), std::string::npos);
}

TEST_F(TwoSides, RegistersAndTheirPartsAreThoseOfTheSide) {
    EXPECT_EQ(run("r eax"), "eax=55667788\n");
    EXPECT_EQ(run("r ax, ah, al"), "ax=7788\nah=77\nal=88\n");
    EXPECT_EQ(run("r zf"), "zf=1\n");
    for (const char* name : {"sil", "r8d", "rax", "rflags0"})
        EXPECT_EQ(run(std::string("r ") + name),
                  std::string("Bad register error at '") + name + "'\n");
    EXPECT_EQ(run(".effmach x64; r rax"), "Effective machine: x64 (AMD64)\nrax=1122334455667788\n");
}

TEST_F(TwoSides, AThreadWithoutOneHasNoRegistersThere) {
    EXPECT_NE(run("~0s").find("the dump has no registers of this thread"), std::string::npos);
    EXPECT_EQ(run("~0e r eip"), "the dump has no registers of this thread\n");
    EXPECT_EQ(run(".effmach #; ? @$ptrsize"),
              "Effective machine: x86 compatible (x86)\nEvaluate expression: 4 = 00000004\n");
}

TEST_F(TwoSides, TheContextIsOfTheSide) {
    run(".ecxr");
    EXPECT_EQ(session_->contextKind(), ContextKind::exception);
    run("!sw");
    EXPECT_EQ(session_->contextKind(), ContextKind::thread) << "the exception has none of its own";
    EXPECT_EQ(session_->registers().arch(), Arch::x86_64);
    // Going over while one visits another thread.
    run("!sw; .ecxr; ~0e .effmach amd64");
    EXPECT_EQ(session_->threadIndex(), 1U);
    EXPECT_EQ(session_->registers().arch(), Arch::x86_64);
    run(".effmach x86; .ecxr; !wow64exts.k");
    EXPECT_EQ(session_->contextKind(), ContextKind::exception);
    EXPECT_EQ(session_->registers().arch(), Arch::x86);
}

TEST_F(TwoSides, ModulesOfOneNameAreToldApart) {
    EXPECT_EQ(run("lm m ntdll*"),
              "start    end        module name\n"
              "77000000 77001000   ntdll_77000000 (deferred)\n"
              "00007ffb`10000000 00007ffb`10001000   ntdll      (deferred)\n");
    EXPECT_EQ(run(".echo $ntnsym $ntwsym $ntsym"), "ntdll ntdll_77000000 ntdll_77000000\n");
    EXPECT_EQ(run("!sw"), "Switched to Host mode\n");
    EXPECT_EQ(run(".echo $ntnsym $ntwsym $ntsym"), "ntdll ntdll_77000000 ntdll\n");
}

TEST_F(TwoSides, WhatIsNotThereIsSaid) {
    EXPECT_EQ(run(".effmach arm64"),
              "the dump's threads ran as x86 and x86_64: other machines are not emulated\n");
    EXPECT_NE(run(".load wow64exts").find("!wow64exts.sw"), std::string::npos);
    const auto one = syntheticSession();
    Interpreter alone(*one, output_);
    alone.execute(".effmach amd64; .effmach x86; !wow64exts.sw; !wow64exts.k");
    EXPECT_EQ(output_.take(),
              "Effective machine: x64 (AMD64)\n"
              "the dump's threads ran as x86_64: other machines are not emulated\n"
              "this is no dump of a 32-bit process that a 64-bit program took (WOW64)\n"
              "this is no dump of a 32-bit process that a 64-bit program took (WOW64)\n");
    EXPECT_EQ(alone.prompt(), "0:001> ");
}

}  // namespace
}  // namespace icecore::debugger
