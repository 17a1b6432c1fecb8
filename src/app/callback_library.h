// A callback library, as ProcDump's -md takes one: a shared object with MINIDUMP_CALLBACK_ROUTINE.
#pragma once

#include <string>

#include "base/error.h"
#include "capi/callbacks.h"

namespace icecore::app {

/// Loads it and asks its MiniDumpCallbackRoutine (see icecore/minidump.h) what a dump is to hold.
/// It stays loaded. Errors: it cannot be loaded, or has no such function.
Result<capi::Ask> callbackLibrary(const std::string& path);

}  // namespace icecore::app
