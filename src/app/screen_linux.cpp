#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "app/screen.h"

namespace icecore::app {

std::size_t screenColumns() {
    if (::isatty(STDOUT_FILENO) != 1) return 0;
    struct winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

bool screenHasColors() {
    if (::isatty(STDOUT_FILENO) != 1) return false;
    const char* off = std::getenv("NO_COLOR");  // https://no-color.org
    const char* terminal = std::getenv("TERM");
    return (off == nullptr || *off == '\0') && terminal != nullptr &&
           std::string_view(terminal) != "dumb";
}

}  // namespace icecore::app
