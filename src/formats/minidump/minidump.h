// Minidumps: Linux processes' and Windows', ours and other writers'.
#pragma once

#include "formats/format.h"

namespace icecore {

/// The row of the table of formats.
Format minidumpFormat();

namespace minidump {
bool probe(const Source& source);
Result<Snapshot> open(std::shared_ptr<const Source> source);
Result<WriteReport> write(const Snapshot& snapshot, const SavePlan& plan, Sink& sink,
                          Progress& progress);
Result<std::string> describe(std::shared_ptr<const Source> source);
Result<std::vector<std::byte>> build(std::string_view text);
Result<std::string> outline(std::shared_ptr<const Source> source);
}  // namespace minidump

}  // namespace icecore
