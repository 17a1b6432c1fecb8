// What `ram` tells of a plan and of an acquisition.
#pragma once

#include <vector>

#include "app/ram_take.h"

namespace icecore::app {

/// Source, ranges, and where they would go; as text or one JSON document on standard output.
void printPlan(const RamTask& task, const ram::RamSource& source,
               const std::vector<ram::Attempt>& attempts, bool json);
/// The closing lines: on standard output, or on standard error where the image went there.
void printTaken(const RamTask& task, const RamManifest& manifest, bool json);

}  // namespace icecore::app
