// Reading the notes of a core into a Process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "images/elf_image.h"
#include "model/snapshot.h"

namespace icecore::elfcore {

/// One entry of NT_FILE.
struct MappedFile {
    Range range;
    std::uint64_t offset = 0;  ///< bytes
    std::string path;
};

/// What is known only after all notes have been seen.
struct CoreNotes {
    std::vector<MappedFile> files;  ///< ascending
    bool hasFiles = false;
    bool own = false;             ///< written by icecore
    bool hasModules = false;      ///< the module list is in the core
    bool hasUnread = false;       ///< the list of unread ranges is in the core
    bool expectsUnread = false;   ///< and has to be
    std::uint32_t firstType = 0;  ///< of the first note: tells writers apart
    std::int32_t signal = 0;      ///< pr_cursig of the first thread
    std::string arguments;        ///< pr_psargs: joined by blanks, at most 79 bytes
};

/// Takes notes in file order. The first NT_PRSTATUS belongs to the thread the core was written
/// for; what follows one belongs to its thread. Damaged notes become issues.
class NoteReader {
public:
    NoteReader(Arch arch, Snapshot& snapshot) : arch_(arch), snapshot_(snapshot) {}

    void take(const ElfNote& note);
    /// Call once behind the last note: resolves what depends on the others.
    CoreNotes finish();

private:
    void takeCore(const ElfNote& note);
    void takeLinux(const ElfNote& note);
    void takeOwn(const ElfNote& note);
    void readStatus(ByteView content);
    void readProcessInfo(ByteView content);
    void readSignalInfo(ByteView content);
    void readAuxv(ByteView content);
    void readFiles(ByteView content);
    void keep(const ElfNote& note);
    void setException();

    [[nodiscard]] Process& process() { return *snapshot_.process; }
    [[nodiscard]] Thread* current();
    [[nodiscard]] std::uint64_t wordSize() const { return archInfo(arch_).pointerSize; }

    Arch arch_;
    Snapshot& snapshot_;
    CoreNotes notes_;
    std::optional<std::size_t> signalThread_;  ///< the thread NT_SIGINFO stands behind
    SharedBytes signalInfo_;
    bool processDescribed_ = false;  ///< by NT_PRPSINFO, which knows better than any NT_PRSTATUS
    char leaderState_ = 0;
    std::optional<std::int32_t> leaderNice_;
    std::string ownThreads_;
    std::uint64_t keptBytes_ = 0;
};

/// "core-note/LINUX/0x405" and, where it belongs to a thread, "/TID": how notes that the model does
/// not name are attached.
inline constexpr std::string_view keptNotePrefix = "core-note/";

/// Whether a signal is one that ends up in a crash dump; the others found in a core (SIGSTOP of a
/// debugger) say only how it was taken.
bool isCrashSignal(std::int32_t signal);

}  // namespace icecore::elfcore
