// The caller's MINIDUMP_CALLBACK_ROUTINE as an Ask.
#pragma once

#include <icecore/minidump.h>

#include "capi/callbacks.h"

namespace icecore::capi {

/// `callback` is used as long as the result is.
Ask askRoutine(const MINIDUMP_CALLBACK_INFORMATION& callback, HANDLE process);

}  // namespace icecore::capi
