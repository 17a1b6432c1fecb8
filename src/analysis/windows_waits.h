// Whom a thread of Windows waits for.
#pragma once

#include "analysis/crash_case.h"
#include "analysis/waits.h"

namespace icecore {

/// Of a thread that waits to enter a critical section: which one and who is inside. The section's
/// address stands among the registers and on the stack of the system's own frames; a word there is
/// believed when it leads to a section that is held, by a thread of this process. Fills mutex,
/// waitsFor, evidence and the text; leaves all as it is when the dump does not show it.
void findCriticalSection(const CrashCase& crash, const Thread& thread, const NamedStack& stack,
                         Activity& out);

/// Of a thread that waits for one object: which mutex and who has it, where the dump lists handles
/// with what is known of their objects (MINIDUMP_HANDLE_OBJECT_INFORMATION). The handle stands in
/// the same places as a section's address; it is believed when no other taken mutex' handle does.
void findMutex(const CrashCase& crash, const Thread& thread, const NamedStack& stack,
               Activity& out);

}  // namespace icecore
