#include "symbols/symbolizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "base/text.h"
#include "images/elf_modules.h"
#include "images/own_process_for_tests.h"
#include "symbols/demangle.h"

namespace icecore {
namespace {

Process ourselvesWithModules() {
    Process process = tests::ourselves();
    Issues issues;
    findElfModules(process, issues);
    return process;
}

template <class Function>
std::uint64_t addressOf(Function* function) {
    return reinterpret_cast<std::uint64_t>(function);
}

TEST(Symbolizer, namesOwnAndForeignFunctions) {
    const Process process = ourselvesWithModules();
    const Symbolizer symbolizer(process, {});
    const auto own = symbolizer.symbolize(addressOf(&demangle) + 4, false);
    ASSERT_FALSE(own.frames.empty());
    EXPECT_EQ(own.frames.back().function, "icecore::demangle");
    EXPECT_EQ(own.frames.back().functionOffset, 4U);
    ASSERT_NE(own.module, nullptr);
    EXPECT_EQ(own.module->path, process.executable);

    const auto libc = symbolizer.symbolize(addressOf(&std::srand), false);
    ASSERT_FALSE(libc.frames.empty());
    EXPECT_THAT(libc.frames.back().function, testing::HasSubstr("srand"));  // or its alias
    EXPECT_EQ(libc.module->fileName(), "libc.so.6");

    EXPECT_EQ(symbolizer.symbolize(1, false).module, nullptr);
    EXPECT_EQ(symbolizer.symbolize(0, true).module, nullptr);
}

TEST(Symbolizer, aReturnAddressBelongsToTheCall) {
    const Process process = ourselvesWithModules();
    const Symbolizer symbolizer(process, {});
    const auto symbol = symbolizer.nearestSymbol(addressOf(&demangle));
    ASSERT_TRUE(symbol.has_value());
    ASSERT_GT(symbol->size, 0U);
    // The byte behind the function, as a return address: of a call that does not return.
    const auto behind = symbolizer.symbolize(symbol->address + symbol->size, true);
    ASSERT_FALSE(behind.frames.empty());
    EXPECT_EQ(behind.frames.back().function, "icecore::demangle");
    EXPECT_EQ(behind.frames.back().functionOffset, symbol->size);
}

TEST(Symbolizer, findsByNameAndPattern) {
    const Process process = ourselvesWithModules();
    const Symbolizer symbolizer(process, {});
    const auto byName = symbolizer.byName("icecore::demangle");
    ASSERT_TRUE(byName.has_value());
    EXPECT_EQ(byName->address, addressOf(&demangle));
    const auto inModule = symbolizer.byName("libc!srand");
    ASSERT_TRUE(inModule.has_value());
    EXPECT_EQ(inModule->address, addressOf(&std::srand));
    EXPECT_TRUE(inModule->function);
    EXPECT_FALSE(symbolizer.byName("libc!no_such_function").has_value());
    EXPECT_FALSE(symbolizer.byName("").has_value());

    const auto found = symbolizer.find("*", "ICECORE::demang*", 10);
    EXPECT_TRUE(std::ranges::any_of(
        found, [](const Symbol& symbol) { return symbol.name == "icecore::demangle"; }));
    EXPECT_EQ(symbolizer.find("libc", "*", 3).size(), 3U);
    EXPECT_TRUE(symbolizer.find("nowhere", "*", 3).empty());
}

TEST(Symbolizer, namesTheVdsoFromMemory) {
    const Process process = ourselvesWithModules();
    const auto vdso = std::ranges::find(process.modules.items, "[vdso]", &Module::path);
    if (vdso == process.modules.items.end()) GTEST_SKIP() << "no vdso here";
    const Symbolizer symbolizer(process, {});
    EXPECT_EQ(symbolizer.module(*vdso).kind, SymbolKind::exported);
    const auto symbol = symbolizer.find("vdso", "*clock_gettime", 5);
    ASSERT_FALSE(symbol.empty());
    const auto named = symbolizer.nearestSymbol(symbol[0].address + 1);
    ASSERT_TRUE(named.has_value());
    EXPECT_THAT(named->name, testing::HasSubstr("clock_gettime"));
}

TEST(Symbolizer, aMismatchIsRefusedAndSaid) {
    Process process = ourselvesWithModules();
    auto program = std::ranges::find(process.modules.items, process.executable, &Module::path);
    ASSERT_NE(program, process.modules.items.end());
    program->id.bytes.assign(20, std::byte{0x5a});
    Symbolizer symbolizer(process, {});
    EXPECT_EQ(symbolizer.module(*program).kind, SymbolKind::mismatch);
    EXPECT_THAT(symbolizer.module(*program).tried,
                testing::Contains(testing::HasSubstr("the dump says 5a5a5a")));
    for (const SymbolFrame& frame : symbolizer.symbolize(addressOf(&demangle), false).frames)
        EXPECT_TRUE(frame.file.empty());

    SymbolOptions forced;
    forced.allowMismatch = true;
    symbolizer.reload(forced);
    EXPECT_TRUE(symbolizer.module(*program).forced);
    const auto named = symbolizer.symbolize(addressOf(&demangle), false);
    ASSERT_FALSE(named.frames.empty());
    EXPECT_EQ(named.frames.back().function, "icecore::demangle");
}

TEST(Symbolizer, withoutBuildIdTheHeadersMustAgree) {
    Process process = ourselvesWithModules();
    auto program = std::ranges::find(process.modules.items, process.executable, &Module::path);
    ASSERT_NE(program, process.modules.items.end());
    program->id = {};
    {
        const Symbolizer symbolizer(process, {});
        EXPECT_THAT(symbolizer.module(*program).tried,
                    testing::Contains(testing::HasSubstr("headers in memory agree")));
        EXPECT_FALSE(symbolizer.symbolize(addressOf(&demangle), false).frames.empty());
    }
    // Another program's file under the same path.
    auto libc = std::ranges::find_if(process.modules.items, [](const Module& module) {
        return module.fileName() == "libc.so.6";
    });
    ASSERT_NE(libc, process.modules.items.end());
    program->path = libc->path;
    const Symbolizer symbolizer(process, {});
    EXPECT_EQ(symbolizer.module(*program).kind, SymbolKind::mismatch);
}

TEST(Symbolizer, manyThreadsAskAtOnce) {
    const Process process = ourselvesWithModules();
    const Symbolizer symbolizer(process, {});
    std::vector<std::jthread> threads;
    threads.reserve(8);
    std::atomic<int> right = 0;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            for (std::uint64_t offset = 0; offset < 64; ++offset) {
                const auto named = symbolizer.symbolize(addressOf(&demangle) + offset, false);
                if (!named.frames.empty() && named.frames.back().function == "icecore::demangle")
                    ++right;
            }
        });
    }
    threads.clear();
    EXPECT_EQ(right.load(), 8 * 64);
}

}  // namespace
}  // namespace icecore
