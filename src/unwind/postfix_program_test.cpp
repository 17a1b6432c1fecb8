#include "unwind/postfix_program.h"

#include <gtest/gtest.h>

#include "bytes/source.h"
#include "memory/segment_space.h"

namespace icecore {
namespace {

constexpr std::uint64_t memoryAt = 0x1000;

class Postfix : public testing::Test {
protected:
    Postfix() {
        std::vector<std::byte> bytes(0x40);
        storeInteger(bytes.data() + 8, std::uint32_t{0x12345678});
        SegmentSpaceBuilder builder(memorySource(std::move(bytes), "test"));
        builder.addStored(Range::ofSize(memoryAt, 0x40), 0);
        process_.memory = builder.build();
        process_.system.arch = Arch::x86;
        symbolizer_ = std::make_unique<Symbolizer>(process_, SymbolOptions{});
        code_ = std::make_unique<CodeMap>(process_, *symbolizer_);
        walk_ =
            std::make_unique<Walk>(Walk{*code_, WalkMemory(*process_.memory, code_->memory()), {}});
        program_ = std::make_unique<PostfixProgram>(*walk_, Arch::x86);
        program_->set("$esp", memoryAt);
    }

    Process process_;
    std::unique_ptr<Symbolizer> symbolizer_;
    std::unique_ptr<CodeMap> code_;
    std::unique_ptr<Walk> walk_;
    std::unique_ptr<PostfixProgram> program_;
};

TEST_F(Postfix, ComputesAndAssigns) {
    EXPECT_EQ(program_->evaluate("$esp 8 + ^"), 0x12345678U);
    EXPECT_EQ(program_->evaluate("7 3 -"), 4U);
    EXPECT_EQ(program_->evaluate("3 7 -"), 0xfffffffcU) << "32 bits";
    EXPECT_EQ(program_->evaluate("29 16 @"), 16U);
    EXPECT_EQ(program_->evaluate("29 16 % 2 * 5 /"), 5U);
    EXPECT_EQ(program_->evaluate("$esp -8 + 16 +"), memoryAt + 8);
    ASSERT_TRUE(program_->run("$T0 $esp 8 + = $eip $T0 ^ = $esp $T0 4 + ="));
    EXPECT_EQ(program_->get("$eip"), 0x12345678U);
    EXPECT_EQ(program_->get("$esp"), memoryAt + 12);
}

TEST_F(Postfix, FailsWithoutHarm) {
    for (const char* wrong : {"", "+", "1 +", "1 0 /", "1 0 %", "1 0 @", "$nothing", "1 2",
                              ".undef", "^", "=", "1 2 =", "$a ="})
        EXPECT_EQ(program_->evaluate(wrong), std::nullopt) << wrong;
    EXPECT_FALSE(program_->run("$a 1")) << "something is left";
    EXPECT_FALSE(program_->run("$a $nothing ="));
    EXPECT_EQ(program_->unreadable(), std::nullopt);
    EXPECT_EQ(program_->evaluate("64 4096 * ^"), std::nullopt);
    EXPECT_EQ(program_->unreadable(), 0x40000U);
    std::string endless;
    for (int i = 0; i < 2000; ++i)
        endless += "1 ";
    EXPECT_EQ(program_->evaluate(endless), std::nullopt);
}

}  // namespace
}  // namespace icecore
