#include <dlfcn.h>

#include <filesystem>

#include "app/callback_library.h"
#include "capi/callback_routine.h"

namespace icecore::app {

Result<capi::Ask> callbackLibrary(const std::string& path) {
    // As a path, never as a name that the dynamic linker looks for somewhere.
    std::error_code ignored;
    const std::string absolute = std::filesystem::absolute(path, ignored).string();
    void* library = ::dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        const char* why = ::dlerror();
        return fail(Errc::usage, why != nullptr ? why : "cannot be loaded", path);
    }
    MINIDUMP_CALLBACK_INFORMATION callback{};
    callback.CallbackRoutine =
        reinterpret_cast<MINIDUMP_CALLBACK_ROUTINE>(::dlsym(library, "MiniDumpCallbackRoutine"));
    if (callback.CallbackRoutine == nullptr) {
        ::dlclose(library);
        return fail(Errc::usage, "has no function MiniDumpCallbackRoutine", path);
    }
    return capi::askRoutine(callback, nullptr);
}

}  // namespace icecore::app
