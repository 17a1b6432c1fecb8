// Programs that crash under Wine and dump themselves (tests/targets/windows/crash.cpp).
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/paths.h"
#include "support/scratch.h"
#include "support/wine.h"

namespace icecore::tests {

/// One Wine and one dump of each kind for all tests of a suite.
class WindowsCrashes : public testing::Test {
protected:
    static void SetUpTestSuite() {
        if (std::filesystem::exists(exe())) wine_ = std::make_unique<Wine>();
    }
    static void TearDownTestSuite() {
        dumps_.clear();
        wine_.reset();
    }
    void SetUp() override {
        if (!std::filesystem::exists(exe()))
            GTEST_SKIP() << "clang++-19, lld-link-19 or llvm-dlltool-19 are not installed";
        if (!wine_->available()) GTEST_SKIP() << "Wine is not installed (package wine64)";
    }

    static std::string exe() { return target("windows/crash.exe"); }
    /// The file, made at the first question; empty when the program did not write it. `type`: the
    /// MINIDUMP_TYPE in hex.
    static std::string dump(const std::string& how, const std::string& type = "0") {
        std::string& path = dumps_[how + "-" + type];
        if (path.empty()) path = make({how, type});
        return path;
    }
    /// What `dump` is going to be asked for, two at a time: Wine's programs wait more than they
    /// work.
    static void prepare(const std::vector<std::pair<std::string, std::string>>& wanted) {
        std::vector<std::string> paths(wanted.size());
        std::atomic<std::size_t> next{0};
        const auto work = [&] {
            for (std::size_t i = next++; i < wanted.size(); i = next++)
                paths[i] = make(wanted[i]);
        };
        std::thread other(work);
        work();
        other.join();
        for (std::size_t i = 0; i < wanted.size(); ++i)
            dumps_[wanted[i].first + "-" + wanted[i].second] = paths[i];
    }
    static std::string symbols() {
        return "--symbols '" + std::filesystem::path(exe()).parent_path().string() + ";" +
               Wine::libraries() + "' ";
    }
    /// What commands print of a dump, errors included.
    static std::string open(const std::string& file, const std::string& commands) {
        return shell(program() + " open " + symbols() + file + " -c '" + commands + "' 2>&1").text;
    }

    static std::string make(const std::pair<std::string, std::string>& wanted) {
        const auto& [how, type] = wanted;
        const std::string name = how + "-" + type + ".dmp";
        const int status = wine_->run(exe() + " " + how + " " + name + " " + type);
        return status == 0 ? wine_->file(name) : std::string();
    }

    static inline std::unique_ptr<Wine> wine_;
    static inline std::map<std::string, std::string> dumps_;
};

}  // namespace icecore::tests
