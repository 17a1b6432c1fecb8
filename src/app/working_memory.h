// How memory is kept while gigabytes go through it.
#pragma once

namespace icecore::app {

/// Has what is freed stay with the program. Pieces of some MiB come and go by the thousand;
/// otherwise each would go back to the kernel, which makes the next one of pages that it sets to
/// zero first: half of the time that packing takes.
void keepFreedMemory();

}  // namespace icecore::app
