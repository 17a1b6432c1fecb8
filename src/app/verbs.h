// What makes each verb: one line per verb, beside its row in verbs.cpp.
#pragma once

#include <memory>

#include "app/verb.h"

namespace icecore::app {

std::unique_ptr<VerbRun> makeBuildVerb();
std::unique_ptr<VerbRun> makeCountersVerb();
std::unique_ptr<VerbRun> makeConvertVerb();
std::unique_ptr<VerbRun> makeDescribeVerb();
std::unique_ptr<VerbRun> makeDumpVerb();
std::unique_ptr<VerbRun> makeAnalyzeVerb();
std::unique_ptr<VerbRun> makeHandlerVerb();
std::unique_ptr<VerbRun> makeInfoVerb();
std::unique_ptr<VerbRun> makeSymbolsVerb();
std::unique_ptr<VerbRun> makeOpenVerb();
std::unique_ptr<VerbRun> makeProcdumpVerb();
std::unique_ptr<VerbRun> makeRamVerb();
std::unique_ptr<VerbRun> makeVerifyVerb();
std::unique_ptr<VerbRun> makeWinpmemVerb();

}  // namespace icecore::app
