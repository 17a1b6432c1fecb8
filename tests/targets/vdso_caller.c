// Spends its time in the vdso: a clock that the vdso has to ask the kernel for, so that the system
// call itself is made from there.
#include <stdio.h>
#include <time.h>

__attribute__((noinline)) long at_ask_the_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_nsec;
}

int main(void) {
    volatile long sum = 0;
    puts("ready");
    fflush(stdout);
    for (;;)
        sum += at_ask_the_time();
}
