#include <algorithm>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

#include "app/program.h"
#include "app/verb.h"

int main(int argc, char** argv) {
    try {
        std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
        // The name it is started under may be that of a tool whose command line it takes.
        const std::filesystem::path name(argc > 0 ? argv[0] : "");
        for (const char* const tool : {"procdump", "winpmem"}) {
            if (name.stem() == tool) arguments.insert(arguments.begin(), tool);
        }
        return icecore::app::runProgram(arguments);
    } catch (const std::bad_alloc&) {
        std::fputs("icecore: out of memory\n", stderr);
    } catch (const std::exception& error) {
        // Our code throws nothing; what a library throws must not end in abort().
        std::fprintf(stderr, "icecore: unexpected: %s\n", error.what());
    }
    return icecore::app::failed;
}
