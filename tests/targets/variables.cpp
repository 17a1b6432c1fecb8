// The variables of windows/variables.h in a program for Linux, and what optimisers make of
// parameters: gone but known to the caller, and spread over registers. Ends by SIGSEGV.
#include "windows/variables.h"

namespace ice {

struct Pair {
    long low, high;
};
volatile long sink;

/// What it was called with is not needed any more when it goes wrong; its caller knows it.
__attribute__((noinline)) int clobbered(int gone, Pair pair, Thing* of) {
    sink = gone + pair.low;
    const int result = optimised(2, of);
    return result + static_cast<int>(pair.high);
}

}  // namespace ice

int main(int argc, char**) {
    ice::fill();
    const ice::Pair pair{argc * 11L, argc * 22L};
    return ice::clobbered(4711, pair, &ice::thing);
}
