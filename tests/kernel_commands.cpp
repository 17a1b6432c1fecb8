// Kernel dumps in the whole program: the commands of a session, and the verdict. The dumps are made
// from the documented layout (formats/winkernel/kernel_maker.h).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/winkernel/kernel_maker.h"
#include "support/paths.h"
#include "support/scratch.h"

namespace icecore::tests {
namespace {

using Json = nlohmann::json;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using winkernel::KernelMaker;

class KernelCommands : public testing::Test {
protected:
    std::string written(const std::vector<std::byte>& bytes) {
        std::ofstream file(path_, std::ios::binary);
        file.write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
        return path_;
    }
    [[nodiscard]] std::string open(const std::string& commands) const {
        return shell(program() + " open " + path_ + " -c '" + commands + "' 2>&1").text;
    }
    [[nodiscard]] Json analysis() const {
        return Json::parse(shell(program() + " analyze --json " + path_ + " 2>/dev/null").text,
                           nullptr, false);
    }
    /// A driver that touched memory at a raised IRQL, with a trap frame of that.
    static KernelMaker raisedIrql(Paging paging) {
        KernelMaker maker(paging);
        maker.trapFrame();
        maker.parameters = {0x28, 2, 1, maker.faultAt()};
        return maker;
    }

    const Scratch scratch_;
    const std::string path_ = scratch_.file("MEMORY.DMP");
};

TEST_F(KernelCommands, ASessionOverEachForm) {
    for (const Paging paging : {Paging::x64, Paging::arm64, Paging::x86}) {
        const KernelMaker maker = raisedIrql(paging);
        for (const bool small : {false, true}) {
            SCOPED_TRACE(std::string(toString(paging)) + (small ? " small" : " full"));
            written(small ? maker.triage() : maker.full());
            EXPECT_THAT(open(".bugcheck"),
                        ContainsRegex("Bugcheck code 0*D1\n(.|\n)*Arguments [^\n]*28 "));
            EXPECT_THAT(open(".lastevent"), HasSubstr("DRIVER_IRQL_NOT_LESS_OR_EQUAL"));
            const std::string modules = open("lm");
            EXPECT_THAT(modules, HasSubstr("faulty"));
            EXPECT_THAT(modules, ContainsRegex("Unloaded modules:\n(.|\n)*gone.sys"));
            EXPECT_THAT(open("~"), ContainsRegex("#? +[01]  Id: "));
            EXPECT_THAT(open(".ecxr; k"), HasSubstr("faulty+0x1234"));
            EXPECT_THAT(open("r $ip"), Not(HasSubstr("Bad register")));
            EXPECT_THAT(open("lmvm faulty"), HasSubstr("    Timestamp:        "));
            EXPECT_EQ(open(".echo $ntsym $ntnsym"), "nt nt\n");
            if (!small) {
                EXPECT_THAT(open("dw poi(@$csp) L1; !address @$csp"), Not(HasSubstr("Unknown")));
            }
        }
    }
}

TEST_F(KernelCommands, TheVerdict) {
    const KernelMaker maker = raisedIrql(Paging::x64);
    written(maker.full());
    const std::string text = open("!analyze -v");
    for (const char* field :
         {"DRIVER_IRQL_NOT_LESS_OR_EQUAL (d1)\n", "Arg1: 0x28, memory referenced\n",
          "Arg2: 0x2, IRQL\n", "Arg3: 0x1, ", "Arg4: 0xfffff80013001234, ", "BUGCHECK_CODE:  d1\n",
          "BUGCHECK_STR:  0xD1\n", "CURRENT_IRQL:  2\n",
          "    Key  : Bugcheck.Code\n    Value: 0xd1\n", "STACK_TEXT:\n", "MODULE_NAME:  faulty\n",
          "IMAGE_NAME:  faulty.sys\n", "DEBUG_FLR_IMAGE_TIMESTAMP:  5f3c1a2c\n",
          "FAILURE_BUCKET_ID:  DRIVER_IRQL_NOT_LESS_OR_EQUAL_faulty+0x1234\n",
          "FAILURE_ID_HASH_STRING:  km:driver_irql_not_less_or_equal_faulty+0x1234\n"})
        EXPECT_THAT(text, HasSubstr(field));
    const Json json = analysis();
    ASSERT_FALSE(json.is_discarded());
    EXPECT_EQ(json["bugcheck"]["code"], "0xd1");
    EXPECT_EQ(json["bugcheck"]["name"], "DRIVER_IRQL_NOT_LESS_OR_EQUAL");
    EXPECT_EQ(json["bugcheck"]["parameters"][0], "0x28");
    EXPECT_EQ(json["bugcheck"]["irql"], "0x2");
    EXPECT_FALSE(json.contains("exception"));
    EXPECT_EQ(json["verdict"]["module_name"], "faulty");
    EXPECT_EQ(json["verdict"]["bucket"], "DRIVER_IRQL_NOT_LESS_OR_EQUAL_faulty+0x1234");
    EXPECT_EQ(json["verdict"]["kind"], "DRIVER_IRQL_NOT_LESS_OR_EQUAL");
    EXPECT_EQ(json["system"]["arch"], "x86_64");
}

TEST_F(KernelCommands, ATrapFrameThatAParameterNames) {
    KernelMaker maker(Paging::x64);
    maker.bugCheck = 0x139;
    maker.parameters = {3, maker.trapFrame(), 0, 0};
    written(maker.full());
    const std::string text = open("!analyze -v");
    EXPECT_THAT(text, HasSubstr("KERNEL_SECURITY_CHECK_FAILURE (139)\n"));
    EXPECT_THAT(text, HasSubstr("FAST_FAIL_CORRUPT_LIST_ENTRY"));
    EXPECT_THAT(text, ContainsRegex("TRAP_FRAME:  fffff800`1200[0-9a-f]{4}\n"));
    EXPECT_THAT(analysis()["bugcheck"]["trap_frame"].get<std::string>(),
                testing::StartsWith("0xfffff8001200"));
}

/// Without a fault the stack begins where the system stopped, in the kernel itself.
TEST_F(KernelCommands, WithoutAFaultTheKernelStandsThere) {
    KernelMaker maker(Paging::x64);
    maker.bugCheck = 0xe2;  // MANUALLY_INITIATED_CRASH
    maker.parameters = {0, 0, 0, 0};
    written(maker.full());
    const std::string text = open("!analyze -v");
    EXPECT_THAT(text, HasSubstr("MANUALLY_INITIATED_CRASH (e2)\n"));
    EXPECT_THAT(text, Not(HasSubstr("CURRENT_IRQL")));
    EXPECT_THAT(text, Not(HasSubstr("TRAP_FRAME")));
    EXPECT_THAT(open("k 1"), HasSubstr("+0x1111"));
}

}  // namespace
}  // namespace icecore::tests
