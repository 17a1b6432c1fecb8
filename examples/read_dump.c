/* Prints the threads and stacks of a dump: read_dump FILE */
#include <icecore/icecore.h>
#include <stdio.h>

static int fail(void) {
    fprintf(stderr, "%s\n", icecore_message());
    return 1;
}

int main(int count, char** arguments) {
    if (count != 2) {
        fprintf(stderr, "usage: %s FILE\n", arguments[0]);
        return 2;
    }
    icecore_dump* dump;
    if (icecore_open(arguments[1], &dump) != ICECORE_OK) return fail();
    icecore_process_info process;
    if (icecore_process(dump, &process) != ICECORE_OK) return fail();
    printf("%s (pid %llu), %s %s, %zu threads, %zu modules\n", process.name,
           (unsigned long long)process.pid, process.os, process.architecture, process.thread_count,
           process.module_count);
    for (size_t i = 0; i < process.thread_count; ++i) {
        icecore_thread_info thread;
        if (icecore_thread(dump, i, &thread) != ICECORE_OK) return fail();
        printf("thread %llu %s\n", (unsigned long long)thread.id, thread.name);
        icecore_stack* stack;
        if (icecore_walk(dump, i, &stack) != ICECORE_OK) continue; /* no registers */
        for (size_t f = 0; f < icecore_frame_count(stack); ++f) {
            icecore_frame frame;
            if (icecore_stack_frame(stack, f, &frame) != ICECORE_OK) return fail();
            printf("  %016llx %s!%s+0x%llx", (unsigned long long)frame.pc, frame.module,
                   frame.function, (unsigned long long)frame.function_offset);
            if (frame.line != 0) printf(" [%s:%u]", frame.file, (unsigned)frame.line);
            printf("%s\n", frame.trust == ICECORE_TRUST_SCAN ? " (guessed)" : "");
        }
        icecore_free_stack(stack);
    }
    icecore_close(dump);
    return 0;
}
