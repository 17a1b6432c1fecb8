// The notes named "ICECORE": what the kernel's notes have no place for, so that a process comes
// back from a core as it went in. Format: docs/formats.md. Other tools skip notes of unknown names.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bytes/byte_view.h"
#include "model/save_plan.h"
#include "model/snapshot.h"

namespace icecore::elfcore {

inline constexpr std::string_view ownNoteName = "ICECORE";

/// Far from all numbers of "CORE" and "LINUX": some tools look at the type alone.
enum OwnNote : std::uint32_t {
    noteInfo = 0x49434501,  ///< records: who wrote it, when, the system, the process
    noteAttachment,         ///< name, NUL, content
    noteThreads,            ///< records, one per thread
    noteRegions,            ///< records, one per region
    noteUnread,             ///< ranges that could not be read; in the last note segment
    noteHandles,            ///< records
    noteModules,            ///< records
};

/// What the info note says besides filling the snapshot.
struct OwnInfo {
    bool hasUnreadNote = false;  ///< an unread note must follow at the end of the file
};

std::string encodeInfo(const Snapshot& snapshot, const SavePlan& plan);
OwnInfo decodeInfo(std::string_view text, Snapshot& snapshot);

std::string encodeThreads(const Process& process, const SavePlan& plan);
/// Completes the threads that are there already; unknown ids are ignored.
void decodeThreads(std::string_view text, Process& process);

std::string encodeRegions(const Process& process, const SavePlan& plan);
void decodeRegions(std::string_view text, Process& process);

std::string encodeHandles(const Process& process);
void decodeHandles(std::string_view text, Process& process);

std::string encodeModules(const Process& process, const SavePlan& plan);
void decodeModules(std::string_view text, Process& process);

/// The unread note has room for this many ranges; its size is fixed before the memory is copied,
/// so that it can be written to a pipe.
inline constexpr std::size_t unreadCapacity = 4095;
inline constexpr std::size_t unreadNoteSize = 16 + unreadCapacity * 16;
/// Where there are more ranges than fit, the last entry spans all the rest: rather too much is
/// called unread than zeros are taken for content.
std::vector<std::byte> encodeUnread(const std::vector<Range>& unread);
Result<std::vector<Range>> decodeUnread(ByteView content);

/// The path as it is stored when only file names are wanted.
std::string_view storedName(std::string_view path, bool fileNamesOnly);

}  // namespace icecore::elfcore
