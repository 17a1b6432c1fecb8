// The same stacks with signed return addresses (compiled with -mbranch-protection=standard).
#include "../unwind_crash.cpp"
