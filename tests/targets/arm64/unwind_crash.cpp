// The same stacks on arm64.
#include "../unwind_crash.cpp"
