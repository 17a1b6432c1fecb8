#include "app/console.h"

#include <cstdio>

namespace icecore::app {

void Console::write(std::string_view text) {
    // What cannot be written is noticed at the end of the program, which checks the stream.
    (void)std::fwrite(text.data(), 1, text.size(), stdout);
}

void Console::clear() {
    if (terminal_) write("\033[H\033[2J");  // ECMA-48: cursor home, erase the display
}

void Console::flush() {
    (void)std::fflush(stdout);
}

}  // namespace icecore::app
