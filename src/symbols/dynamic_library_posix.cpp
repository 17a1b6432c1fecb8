#include <dlfcn.h>

#include <string>

#include "symbols/dynamic_library.h"

namespace icecore {

namespace {

class PosixLibrary final : public DynamicLibrary {
public:
    explicit PosixLibrary(void* handle) : handle_(handle) {}
    // Never unloaded: libraries with threads and exit handlers of their own do not survive it.
    [[nodiscard]] void* symbol(const char* name) const override { return ::dlsym(handle_, name); }

private:
    void* handle_;
};

}  // namespace

Result<std::unique_ptr<DynamicLibrary>> DynamicLibrary::open(
    std::span<const std::string_view> names) {
    std::string reason;
    for (const std::string_view name : names) {
        if (void* handle = ::dlopen(std::string(name).c_str(), RTLD_NOW | RTLD_LOCAL))
            return std::make_unique<PosixLibrary>(handle);
        if (const char* text = ::dlerror(); text != nullptr && reason.empty()) reason = text;
    }
    return fail(Errc::not_found, "cannot load a library: " + reason);
}

}  // namespace icecore
