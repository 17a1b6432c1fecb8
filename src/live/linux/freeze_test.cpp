#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "support/victim.h"
#include "live/capture.h"

namespace icecore::live {
namespace {

using tests::Victim;

std::unique_ptr<FrozenProcess> frozen(pid_t pid, SnapshotMode mode,
                                      DumpType type = {2, false}) {
    CaptureOptions options;
    options.mode = mode;
    options.type = type;
    SilentProgress progress;
    auto result = freeze(static_cast<std::uint64_t>(pid), options, progress);
    EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().describe());
    return result ? std::move(*result) : nullptr;
}

class Freeze : public testing::TestWithParam<SnapshotMode> {};
INSTANTIATE_TEST_SUITE_P(Modes, Freeze,
                         testing::Values(SnapshotMode::clone, SnapshotMode::stop));

TEST_P(Freeze, ReadsWhatWasWritten) {
    Victim victim("capture_memory", {"plain"});
    ASSERT_TRUE(victim.until("ready"));
    const auto process = frozen(victim.pid(), GetParam());
    ASSERT_NE(process, nullptr);
    EXPECT_EQ(process->mode(), GetParam());
    const Process& model = *process->snapshot().process;
    ASSERT_EQ(model.threads.size(), 1U);
    EXPECT_EQ(model.threads[0].id, static_cast<std::uint64_t>(victim.pid()));
    EXPECT_FALSE(model.modules.empty());
    for (const auto& issue : process->snapshot().issues.items()) ADD_FAILURE() << issue.describe();
}

}  // namespace
}  // namespace icecore::live
