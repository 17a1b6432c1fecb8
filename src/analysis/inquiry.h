// An analysis in the making: what its steps share, and the steps that end in a verdict.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analysis/blame.h"
#include "analysis/waits.h"

namespace icecore {

struct Inquiry {
    CrashCase crash;
    std::vector<Activity> activities;  ///< in the order of process.threads
    Analysis out;
};

/// The verdict over a process that an exception stopped.
void judgeException(Inquiry& inquiry, const Exception& exception);
/// The verdict over a process that was dumped while it ran: whether its threads wait in a circle.
void judgeWithoutException(Inquiry& inquiry);

/// The verdict that `blame` comes to: summary, bucket, symbol, module and image, with the finding
/// that says so. `bucketHead` begins the bucket ("SIGSEGV_NULL_POINTER_WRITE"); `happening` says
/// what the thread did and `message` what it said.
void accuse(Inquiry& inquiry, const NamedStack& stack, const Blame& blame,
            std::string_view bucketHead, std::string_view happening, std::string_view message = {});
/// The verdict where no frame is to blame: the program's name ends the bucket. The summary is left
/// to the caller.
void accuseNobody(Inquiry& inquiry, std::string bucketHead);

/// What the threads do, as a sentence: "3 threads: 2 waiting on a condition variable, 1 at work."
std::string waitingText(const Inquiry& inquiry);

}  // namespace icecore
