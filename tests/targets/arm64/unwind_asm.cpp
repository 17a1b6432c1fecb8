// The same functions without unwind information on arm64.
#include "../unwind_asm.cpp"
