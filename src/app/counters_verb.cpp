// `icecore counters PID`: the performance counters that --counter and procdump's -p take.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/report.h"
#include "app/terminal.h"
#include "app/verbs.h"
#include "base/text.h"
#include "live/capture.h"
#include "monitor/counters.h"

namespace icecore::app {

namespace {

class CountersVerb final : public VerbRun {
public:
    void declare(CLI::App& command) override {
        command.add_option("TARGET", target_, "process id or name")->required();
        command
            .add_option("--milliseconds", milliseconds_, "over how long rates are measured (500)")
            ->check(CLI::Range(1, 3'600'000));
        command.add_flag("--json", json_, "one JSON document");
    }

    [[nodiscard]] int run() override {
        std::uint64_t pid = 0;
        if (const auto number = parseDecimal(target_)) {
            pid = *number;
        } else {
            const auto found = live::findProcesses(target_);
            if (found.size() != 1) {
                printError(target_, found.empty() ? "no process of this name is running"
                                                  : "several processes have this name");
                return failed;
            }
            pid = found.front().pid;
        }
        const std::string name = live::processName(pid);
        if (name.empty()) {
            printError(target_, "no such process");
            return failed;
        }
        const auto values =
            monitor::openCounters(pid, name)->all(std::chrono::milliseconds(milliseconds_));
        Json list = Json::array();
        for (const monitor::CounterValue& value : values) {
            if (json_) {
                Json row = {{"path", value.path}, {"source", value.help}};
                if (value.value) row["value"] = *value.value;
                list.push_back(std::move(row));
            } else {
                fmt::print("{:<48} {:>18}  {}\n", printable(value.path),
                           value.value ? fmt::format("{:.12g}", *value.value) : "-", value.help);
            }
        }
        if (json_) printJson(list);
        return done;
    }

private:
    std::string target_;
    int milliseconds_ = 500;
    bool json_ = false;
};

}  // namespace

std::unique_ptr<VerbRun> makeCountersVerb() {
    return std::make_unique<CountersVerb>();
}

}  // namespace icecore::app
