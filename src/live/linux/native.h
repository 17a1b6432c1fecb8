// What the live source must know of the CPU it runs on. Each architecture has a folder of its own
// with these very functions; porting means writing another one.
#pragma once

#if defined(__x86_64__)
#include "live/linux/x86_64/native.h"
#else
#error "icecore captures live processes on x86-64 only so far"
#endif
