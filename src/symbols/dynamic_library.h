// A library that is loaded only when it is needed: libcurl brings thirty others along, and a
// program that never touches the network should not wait for them at every start.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "base/error.h"

namespace icecore {

class DynamicLibrary {
public:
    /// The first of `names` that the system's loader finds.
    static Result<std::unique_ptr<DynamicLibrary>> open(std::span<const std::string_view> names);
    virtual ~DynamicLibrary() = default;
    /// Address of an exported function, or null.
    [[nodiscard]] virtual void* symbol(const char* name) const = 0;
};

}  // namespace icecore
