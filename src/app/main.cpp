#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "app/program.h"
#include "app/verb.h"

int main(int argc, char** argv) {
    try {
        const std::vector<std::string> arguments(argv + 1, argv + argc);
        return icecore::app::runProgram(arguments);
    } catch (const std::bad_alloc&) {
        std::fputs("icecore: out of memory\n", stderr);
    } catch (const std::exception& error) {
        // Our code throws nothing; what a library throws must not end in abort().
        std::fprintf(stderr, "icecore: unexpected: %s\n", error.what());
    }
    return icecore::app::failed;
}
