// A process' memory, completed by the files of its modules.
#pragma once

#include <memory>

#include "model/process.h"
#include "symbols/symbolizer.h"

namespace icecore {

/// The dump's memory where it has bytes; else, for what the loader mapped without write permission
/// (code, constants, tables), the module's file. Dumps often leave those pages out: the kernel's
/// cores hold only the first page of a file, minidumps hold stacks. A file serves only when its
/// build-id is the module's or, where the dump knows none, when the symbolizer found its headers or
/// layout to be those in the dump; a file that was forced in spite of a mismatch never does.
/// `process` and `symbolizer` must outlive the result. Thread-safe; a module's file is looked for
/// at the first read that needs it.
std::shared_ptr<const AddressSpace> imageBackedMemory(const Process& process,
                                                      const Symbolizer& symbolizer);

}  // namespace icecore
