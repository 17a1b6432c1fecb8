// icecore.h for C++17 and later: values instead of pointers, exceptions instead of status codes.
// Header only; link as for icecore.h. Thread-safety is that of icecore.h.
#pragma once

#include <icecore/icecore.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace icecore::api {

/// Why something could not be done; `what()` is one line for a person.
class Error : public std::runtime_error {
public:
    Error(icecore_status status, const std::string& message)
        : std::runtime_error(message), status_(status) {}
    [[nodiscard]] icecore_status status() const noexcept { return status_; }

private:
    icecore_status status_;
};

inline void check(icecore_status status) {
    if (status != ICECORE_OK) throw Error(status, icecore_message());
}

/// How to take a dump. See icecore_dump_options.
struct DumpOptions {
    std::uint32_t type = ICECORE_TYPE_MINI;
    icecore_format format = ICECORE_FORMAT_BY_NAME;
    icecore_snapshot snapshot = ICECORE_SNAPSHOT_AUTO;
    int compression = 0;
    bool overwrite = false;
    /// Phase, done and total bytes; false stops the work. Must not throw.
    std::function<bool(const char*, std::uint64_t, std::uint64_t)> progress;
};

namespace detail {

inline int onProgress(const char* phase, std::uint64_t done, std::uint64_t total, void* context) {
    return static_cast<const DumpOptions*>(context)->progress(phase, done, total) ? 0 : 1;
}

inline icecore_dump_options forC(const DumpOptions& options) {
    icecore_dump_options c = ICECORE_DUMP_OPTIONS_INIT;
    c.type = options.type;
    c.format = options.format;
    c.snapshot = options.snapshot;
    c.compression = options.compression;
    c.overwrite = options.overwrite ? 1 : 0;
    if (options.progress) {
        c.progress = &onProgress;
        c.progress_context = const_cast<DumpOptions*>(&options);
    }
    return c;
}

}  // namespace detail

inline icecore_dump_result dumpProcess(std::uint64_t pid, const std::string& path,
                                       const DumpOptions& options = {}) {
    const icecore_dump_options c = detail::forC(options);
    icecore_dump_result result{};
    check(icecore_dump_process(pid, path.c_str(), &c, &result));
    return result;
}

inline icecore_dump_result dumpSelf(const std::string& path, const DumpOptions& options = {}) {
    const icecore_dump_options c = detail::forC(options);
    icecore_dump_result result{};
    check(icecore_dump_self(path.c_str(), &c, &result));
    return result;
}

/// A dump that was opened. What its functions return points into it where it holds `const char*`,
/// and is valid as long as the dump.
class Dump {
public:
    explicit Dump(const std::string& path) {
        icecore_dump* opened = nullptr;
        check(icecore_open(path.c_str(), &opened));
        dump_.reset(opened);
    }

    [[nodiscard]] icecore_process_info process() const {
        icecore_process_info info{};
        check(icecore_process(dump_.get(), &info));
        return info;
    }
    /// What was wrong with the dump or is missing in it.
    [[nodiscard]] std::vector<std::string> issues() const {
        std::vector<std::string> all(process().issue_count);
        for (std::size_t i = 0; i < all.size(); ++i) {
            const char* text = "";
            check(icecore_issue(dump_.get(), i, &text));
            all[i] = text;
        }
        return all;
    }
    /// Nothing when the dump was taken of a process in which nothing had happened.
    [[nodiscard]] std::optional<icecore_exception_info> exception() const {
        icecore_exception_info info{};
        const icecore_status status = icecore_exception(dump_.get(), &info);
        if (status == ICECORE_NOT_FOUND) return std::nullopt;
        check(status);
        return info;
    }
    [[nodiscard]] std::vector<icecore_thread_info> threads() const {
        std::vector<icecore_thread_info> all(process().thread_count);
        for (std::size_t i = 0; i < all.size(); ++i)
            check(icecore_thread(dump_.get(), i, &all[i]));
        return all;
    }
    [[nodiscard]] std::vector<icecore_module_info> modules() const {
        std::vector<icecore_module_info> all(process().module_count);
        for (std::size_t i = 0; i < all.size(); ++i)
            check(icecore_module(dump_.get(), i, &all[i]));
        return all;
    }
    /// Nothing where the dump does not have it.
    [[nodiscard]] std::optional<std::uint64_t> reg(std::size_t thread,
                                                   const std::string& name) const {
        std::uint64_t value = 0;
        const icecore_status status = icecore_register(dump_.get(), thread, name.c_str(), &value);
        if (status == ICECORE_NOT_FOUND) return std::nullopt;
        check(status);
        return value;
    }
    /// What of `size` bytes from `address` on is there without a gap.
    [[nodiscard]] std::vector<std::byte> read(std::uint64_t address, std::size_t size) const {
        std::vector<std::byte> bytes(size);
        std::size_t got = 0;
        const icecore_status status =
            icecore_read_memory(dump_.get(), address, bytes.data(), size, &got);
        if (status != ICECORE_UNREADABLE) check(status);
        bytes.resize(got);
        return bytes;
    }
    void setSymbolPath(const std::string& path) {
        check(icecore_set_symbol_path(dump_.get(), path.c_str()));
    }

    /// A thread's frames; they hold the stack that their texts lie in.
    class Stack {
    public:
        [[nodiscard]] std::size_t size() const { return icecore_frame_count(stack_.get()); }
        [[nodiscard]] icecore_frame operator[](std::size_t index) const {
            icecore_frame frame{};
            check(icecore_stack_frame(stack_.get(), index, &frame));
            return frame;
        }
        /// Why the stack ends where it does; empty when it ends by itself.
        [[nodiscard]] std::string note() const { return icecore_stack_note(stack_.get()); }

    private:
        friend class Dump;
        struct Free {
            void operator()(icecore_stack* stack) const { icecore_free_stack(stack); }
        };
        explicit Stack(icecore_stack* stack) : stack_(stack) {}
        std::unique_ptr<icecore_stack, Free> stack_;
    };
    [[nodiscard]] Stack walk(std::size_t thread) const {
        icecore_stack* stack = nullptr;
        check(icecore_walk(dump_.get(), thread, &stack));
        return Stack(stack);
    }

private:
    struct Close {
        void operator()(icecore_dump* dump) const { icecore_close(dump); }
    };
    std::unique_ptr<icecore_dump, Close> dump_;
};

}  // namespace icecore::api
