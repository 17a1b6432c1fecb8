// The verdict as one web page that needs nothing else.
#pragma once

#include <string>

#include "analysis/analysis.h"

namespace icecore {

/// A whole HTML document: verdict, stacks, findings, modules, and a picture of the address space.
/// It loads nothing from elsewhere and runs no script; all text from the dump is escaped.
std::string analysisHtml(const Snapshot& snapshot, const Analysis& analysis);

}  // namespace icecore
