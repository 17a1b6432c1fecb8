// The command line and the environment as the kernel laid them onto the main thread's stack.
#pragma once

#include "model/process.h"

namespace icecore::elfcore {

/// Fills commandLine and environment from the stack, when `auxv` is found there in full. Above the
/// words argc, argv…, NULL, envp…, NULL stands the auxiliary vector (System V ABI, "Process
/// Initialization"), which is known from NT_AUXV: so the words below it are found.
void readArguments(Process& process);

}  // namespace icecore::elfcore
