// Windows programs, run by Wine.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "support/paths.h"
#include "support/scratch.h"

namespace icecore::tests {

/// A Wine of its own: its registry and drives lie in a scratch folder, its server ends with it.
class Wine {
public:
    Wine() {
        program_ = find({"/usr/lib/wine/wine64", "/usr/bin/wine64", "/usr/bin/wine64-stable"});
        server_ =
            find({"/usr/lib/wine/wineserver64", "/usr/lib/wine/wineserver", "/usr/bin/wineserver"});
        if (!available()) return;
        // The server stays between programs, for ten minutes at most: starting it is what takes
        // the time.
        shell(environment() + server_ + " -p600 2>/dev/null");
        shell(command("wineboot -i"));
    }
    ~Wine() {
        if (available()) shell(environment() + server_ + " -k -w 2>/dev/null");
    }
    Wine(const Wine&) = delete;
    Wine& operator=(const Wine&) = delete;

    [[nodiscard]] bool available() const { return !program_.empty() && !server_.empty(); }
    /// Where Wine's own libraries lie.
    [[nodiscard]] static std::string libraries() {
        return find({"/usr/lib/x86_64-linux-gnu/wine/x86_64-windows",
                     "/usr/lib/wine/x86_64-windows", "/usr/lib64/wine/x86_64-windows"});
    }
    /// Runs a command line within the scratch folder; 0 is success.
    [[nodiscard]] int run(const std::string& arguments) const {
        return shell(command(arguments)).status;
    }
    [[nodiscard]] std::string file(const std::string& name) const { return scratch_.file(name); }

private:
    static std::string find(std::initializer_list<const char*> places) {
        for (const char* place : places) {
            if (std::filesystem::exists(place)) return place;
        }
        return {};
    }
    [[nodiscard]] std::string environment() const {
        // No Mono, no browser, no messages.
        return "WINEPREFIX=" + scratch_.file("prefix") +
               " WINEARCH=win64 WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml,winedbg.exe=' ";
    }
    [[nodiscard]] std::string command(const std::string& arguments) const {
        return "cd " + scratch_.file(".") + " && " + environment() + "timeout 300 " + program_ +
               " " + arguments + " >/dev/null 2>&1 </dev/null";
    }

    Scratch scratch_;
    std::string program_, server_;
};

}  // namespace icecore::tests
