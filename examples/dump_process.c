/* Dumps a process, or itself without an argument: dump_process FILE [PID] */
#include <icecore/icecore.h>
#include <stdio.h>
#include <stdlib.h>

static int show(const char* phase, uint64_t done, uint64_t total, void* context) {
    (void)context;
    fprintf(stderr, "%s: %llu of %llu bytes\n", phase, (unsigned long long)done,
            (unsigned long long)total);
    return 0; /* anything else stops the work */
}

int main(int count, char** arguments) {
    if (count < 2) {
        fprintf(stderr, "usage: %s FILE [PID]\n", arguments[0]);
        return 2;
    }
    icecore_dump_options options = ICECORE_DUMP_OPTIONS_INIT;
    options.type = ICECORE_TYPE_HEAP;
    options.progress = show;
    icecore_dump_result result;
    icecore_status status = count > 2 ? icecore_dump_process(strtoull(arguments[2], NULL, 10),
                                                             arguments[1], &options, &result)
                                      : icecore_dump_self(arguments[1], &options, &result);
    if (status != ICECORE_OK) {
        fprintf(stderr, "%s\n", icecore_message());
        return 1;
    }
    printf("%s: %llu bytes, stood still for %llu us\n", arguments[1],
           (unsigned long long)result.bytes, (unsigned long long)(result.pause_ns / 1000));
    return 0;
}
