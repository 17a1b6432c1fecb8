// procdump run in a folder of its own, and what it leaves there.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {

class ProcdumpRun {
public:
    ProcdumpRun() {
        std::filesystem::create_symlink(program(), scratch_.file("procdump"));
        std::filesystem::create_directory(scratch_.file("out"));
    }
    [[nodiscard]] std::string folder() const { return scratch_.file("out"); }

    /// "procdump LINE", in the folder; a watch is ended by Ctrl-C after `seconds`.
    [[nodiscard]] ShellOutput run(const std::string& line, int seconds = 60,
                                  const std::string& input = "/dev/null") const {
        return shell("cd " + folder() + " && timeout -s INT -k 20 " + std::to_string(seconds) +
                     " ../procdump " + line + " <" + input +
                     " >../log 2>&1; code=$?; cat ../log; " + "exit $code");
    }
    /// Whether a run has begun to watch.
    [[nodiscard]] bool begun() const {
        return eventually([&] {
            return readText(scratch_.file("log")).find("Starting monitor") != std::string::npos;
        });
    }
    [[nodiscard]] std::vector<std::string> written() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(folder()))
            names.push_back(entry.path().filename());
        std::ranges::sort(names);
        return names;
    }
    [[nodiscard]] std::string file(const std::string& name) const { return folder() + "/" + name; }

private:
    Scratch scratch_;
};

}  // namespace icecore::tests
