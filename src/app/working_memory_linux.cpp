#include <malloc.h>

#include "app/working_memory.h"

namespace icecore::app {

void keepFreedMemory() {
#ifdef __GLIBC__
    // Both at once: either alone switches off what glibc would choose for the other.
    constexpr int largestFromHeap = 32 << 20, mostKept = 256 << 20;
    ::mallopt(M_MMAP_THRESHOLD, largestFromHeap);
    ::mallopt(M_TRIM_THRESHOLD, mostKept);
#endif
}

}  // namespace icecore::app
