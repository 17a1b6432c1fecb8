#include "analysis/bug_checks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "analysis/bucket_hash.h"
#include "analysis/bug_check_names.h"
#include "base/text.h"

namespace icecore {
namespace {

bool isName(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
}

TEST(BugChecks, EachHasANameAWordAndItsParameters) {
    std::set<std::uint32_t> codes;
    std::set<std::string> names;
    for (const std::uint32_t code : explainedBugChecks()) {
        SCOPED_TRACE(hex(code));
        const BugCheck explained = explainBugCheck(code, {0x11, 0x22, 0x33, 0x44});
        EXPECT_TRUE(codes.insert(code).second) << "twice";
        EXPECT_TRUE(names.insert(explained.name).second) << explained.name << " twice";
        EXPECT_EQ(explained.code, code);
        EXPECT_TRUE(isName(explained.name)) << explained.name;
        EXPECT_FALSE(explained.text.empty());
        EXPECT_FALSE(explained.text.ends_with('.')) << "it goes into a sentence";
        ASSERT_EQ(explained.parameters.size(), 4U);
        for (std::size_t i = 0; i < 4; ++i)
            EXPECT_TRUE(explained.parameters[i].starts_with(hex(0x11 * (i + 1))));
    }
    EXPECT_GE(codes.size(), 60U);
    for (const BugCheckName& row : bugCheckNames) {
        SCOPED_TRACE(hex(row.code));
        EXPECT_TRUE(codes.insert(row.code).second) << "twice";
        EXPECT_TRUE(names.insert(std::string(row.name)).second) << row.name << " twice";
        EXPECT_TRUE(isName(row.name)) << row.name;
        EXPECT_EQ(explainBugCheck(row.code, {}).name, row.name);
    }
}

TEST(BugChecks, ParametersInWords) {
    const BugCheck irql = explainBugCheck(0xd1, {0x28, 2, 1, 0xfffff80112345678});
    EXPECT_EQ(irql.name, "DRIVER_IRQL_NOT_LESS_OR_EQUAL");
    EXPECT_EQ(irql.parameters.at(0), "0x28, memory referenced");
    EXPECT_EQ(irql.parameters.at(1), "0x2, IRQL");
    EXPECT_NE(irql.parameters.at(3).find("0xfffff80112345678, address"), std::string::npos);

    const BugCheck unhandled = explainBugCheck(0x1000007e, {0xffffffffc0000005, 1, 2, 3});
    EXPECT_EQ(unhandled.name, "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED_M");
    EXPECT_NE(unhandled.parameters.at(0).find("STATUS_ACCESS_VIOLATION"), std::string::npos);

    const BugCheck security = explainBugCheck(0x139, {3, 0, 0, 0});
    EXPECT_EQ(security.name, "KERNEL_SECURITY_CHECK_FAILURE");
    EXPECT_NE(security.parameters.at(0).find("FAST_FAIL_CORRUPT_LIST_ENTRY"), std::string::npos);

    EXPECT_EQ(irql.irql, 2U);
    EXPECT_FALSE(irql.trapFrame);
    EXPECT_EQ(explainBugCheck(0x139, {3, 0xfffff8001234, 0, 0}).trapFrame, 0xfffff8001234U);

    EXPECT_EQ(explainBugCheck(0x1c8, {}).name, "MANUALLY_INITIATED_POWER_BUTTON_HOLD");
    const BugCheck unknown = explainBugCheck(0x7777777, {1});
    EXPECT_EQ(unknown.name, "0x7777777");
    EXPECT_EQ(unknown.parameters, std::vector<std::string>{"0x1"});
}

TEST(BugChecks, TheDriverThatAskedForIt) {
    Module kernel, driver;
    kernel.path = "\\SystemRoot\\system32\\ntoskrnl.exe";
    driver.path = "\\SystemRoot\\System32\\drivers\\faulty.sys";
    const auto stackOf = [&](std::initializer_list<const Module*> modules) {
        NamedStack stack;
        for (const Module* module : modules) {
            NamedFrame frame;
            frame.module = module;
            frame.physical = stack.frames.size();
            stack.frames.push_back(frame);
        }
        return stack;
    };
    Exception exception;
    EXPECT_EQ(bugCheckingDriver(exception, stackOf({&kernel, &kernel, &driver, &kernel})),
              "faulty.sys");
    EXPECT_EQ(bugCheckingDriver(exception, stackOf({&kernel, &kernel})), "");
    EXPECT_EQ(bugCheckingDriver(exception, stackOf({&kernel, nullptr, &driver})), "")
        << "nobody knows who came between";
    EXPECT_EQ(bugCheckingDriver(exception, stackOf({&driver, &kernel})), "");
    exception.context = Context{Registers(Arch::x86_64), {}, {}};
    EXPECT_EQ(bugCheckingDriver(exception, stackOf({&kernel, &driver})), "")
        << "a fault is no request";
}

TEST(BucketHash, IsTheSameForTheSameBucketOnly) {
    const std::string one = bucketHash("STATUS_ACCESS_VIOLATION_app!main", false);
    EXPECT_EQ(one, bucketHash("status_access_violation_APP!main", false));
    EXPECT_NE(one, bucketHash("STATUS_ACCESS_VIOLATION_app!main", true));
    EXPECT_NE(one, bucketHash("STATUS_ACCESS_VIOLATION_app!other", false));
    EXPECT_EQ(bucketHashText("A_b", true), "km:a_b");
    // sha256("um:x") by coreutils.
    EXPECT_EQ(bucketHash("x", false), "{49834b6a-8b1c-bd90-1df4-7f4009316567}");
}

}  // namespace
}  // namespace icecore
