// icecore.h: taking a dump.
#include <icecore/icecore.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <string>

#include "base/version.h"
#include "capi/guarded.h"
#include "capi/write_dump.h"
#include "formats/format.h"

namespace icecore::capi {

namespace {

constexpr int maxCompression = 19;

/// The caller's callback, told at most once per step: it may be slow.
class CallbackProgress final : public Progress {
public:
    CallbackProgress(icecore_progress callback, void* context)
        : callback_(callback), context_(context) {}

    void begin(std::string_view phase, std::uint64_t total) override {
        const std::lock_guard lock(mutex_);
        phase_ = phase;
        total_ = total;
        done_ = told_ = 0;
        tell();
    }
    void advance(std::uint64_t amount) override {
        const std::lock_guard lock(mutex_);
        done_ += amount;
        if (done_ - told_ >= step) tell();
    }
    void end() override {
        const std::lock_guard lock(mutex_);
        if (done_ != told_) tell();
    }
    [[nodiscard]] bool cancelled() const override { return cancelled_.load(); }

private:
    static constexpr std::uint64_t step = std::uint64_t{1} << 20;

    void tell() {
        told_ = done_;
        if (callback_ != nullptr && callback_(phase_.c_str(), done_, total_, context_) != 0)
            cancelled_.store(true);
    }

    icecore_progress callback_;
    void* context_;
    std::mutex mutex_;
    std::string phase_;
    std::uint64_t total_ = 0, done_ = 0, told_ = 0;
    std::atomic<bool> cancelled_{false};
};

/// Members that an older caller does not know have their defaults.
Result<icecore_dump_options> completed(const icecore_dump_options* options) {
    icecore_dump_options all = ICECORE_DUMP_OPTIONS_INIT;
    if (options == nullptr) return all;
    if (options->size < offsetof(icecore_dump_options, format))
        return fail(Errc::usage, "options.size is not that of icecore_dump_options");
    std::memcpy(&all, options, std::min(options->size, sizeof all));
    return all;
}

Result<DumpFormat> formatOf(icecore_format format, const char* path) {
    switch (format) {
    case ICECORE_FORMAT_CORE: return DumpFormat::core;
    case ICECORE_FORMAT_MINIDUMP: return DumpFormat::minidump;
    case ICECORE_FORMAT_BY_NAME: {
        const Format* found = path == nullptr ? nullptr : formatByExtension(path);
        return found != nullptr && found->name == "minidump" ? DumpFormat::minidump
                                                             : DumpFormat::core;
    }
    }
    return fail(Errc::usage, "options.format is none of icecore_format");
}

Result<live::SnapshotMode> modeOf(icecore_snapshot snapshot) {
    switch (snapshot) {
    case ICECORE_SNAPSHOT_AUTO: return live::SnapshotMode::automatic;
    case ICECORE_SNAPSHOT_CLONE: return live::SnapshotMode::clone;
    case ICECORE_SNAPSHOT_STOP: return live::SnapshotMode::stop;
    }
    return fail(Errc::usage, "options.snapshot is none of icecore_snapshot");
}

Result<void> dump(std::uint64_t pid, const char* path, int descriptor,
                  const icecore_dump_options* given, icecore_dump_result* result) {
    ASSIGN_OR_RETURN(const icecore_dump_options options, completed(given));
    if ((options.type & ~std::uint32_t{0x3fff}) != 0)
        return fail(Errc::usage, "options.type has flags that are not known");
    if (options.compression < 0 || options.compression > maxCompression)
        return fail(Errc::usage, "options.compression is not from 0 to 19");
    DumpRequest request;
    request.pid = pid;
    request.flags = options.type;
    request.compressionLevel = options.compression;
    request.overwrite = options.overwrite != 0;
    request.descriptor = descriptor;
    ASSIGN_OR_RETURN(request.format, formatOf(options.format, path));
    ASSIGN_OR_RETURN(request.mode, modeOf(options.snapshot));
    if (path != nullptr) {
        const std::string_view text = path;
        if (text.empty()) return fail(Errc::usage, "the path is empty");
        if (text.size() >= request.path.size()) return fail(Errc::usage, "the path is too long");
        text.copy(request.path.data(), text.size());
    } else {
        TRY(checkWritable(descriptor));
    }
    DumpOutcome outcome;
    if (isOwn(pid)) {
        ASSIGN_OR_RETURN(outcome, writeOwnDump(request));
    } else {
        CallbackProgress progress(options.progress, options.progress_context);
        ASSIGN_OR_RETURN(outcome, writeDump(request, progress));
    }
    if (result != nullptr) {
        *result = {outcome.bytes, outcome.unreadBytes,
                   static_cast<std::uint64_t>(outcome.pause.count()), outcome.cloned ? 1 : 0};
    }
    return {};
}

Result<void> dumpToPath(std::uint64_t pid, const char* path, const icecore_dump_options* options,
                        icecore_dump_result* result) {
    if (path == nullptr) return fail(Errc::usage, "the path is NULL");
    return dump(pid, path, -1, options, result);
}

}  // namespace

}  // namespace icecore::capi

using namespace icecore::capi;

extern "C" {

const char* icecore_message(void) {
    return lastErrorText();
}

const char* icecore_version(void) {
    return icecore::versionText.data();
}

icecore_status icecore_dump_process(uint64_t pid, const char* path,
                                    const icecore_dump_options* options,
                                    icecore_dump_result* result) {
    return guarded([&] { return dumpToPath(pid, path, options, result); });
}

icecore_status icecore_dump_process_to(uint64_t pid, int descriptor,
                                       const icecore_dump_options* options,
                                       icecore_dump_result* result) {
    return guarded([&] { return dump(pid, nullptr, descriptor, options, result); });
}

icecore_status icecore_dump_self(const char* path, const icecore_dump_options* options,
                                 icecore_dump_result* result) {
    return guarded([&] { return dumpToPath(ownPid(), path, options, result); });
}

icecore_status icecore_dump_self_to(int descriptor, const icecore_dump_options* options,
                                    icecore_dump_result* result) {
    return guarded([&] { return dump(ownPid(), nullptr, descriptor, options, result); });
}

}  // extern "C"
