#include "debugger/module_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <unordered_set>

#include "base/text.h"

namespace icecore::debugger {

namespace {

/// For comparing: lower case, everything that is no letter or digit one and the same.
std::string folded(std::string_view text) {
    std::string result = toLower(text);
    std::ranges::replace_if(
        result, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
    return result;
}

}  // namespace

ModuleNames::ModuleNames(const Process& process) : process_(process) {
    std::unordered_set<std::string> taken;
    names_.resize(process.modules.size());
    const auto give = [&](std::size_t index) {
        const Module& module = process.modules[index];
        std::string name = printable(module.shortName());
        if (name.empty()) name = "module";
        if (!taken.insert(name).second) {
            name += fmt::format("_{:x}", module.range.begin());
            taken.insert(name);
        }
        names_[index] = std::move(name);
    };
    // Of the two ntdll of a 32-bit process on 64-bit Windows the 64-bit one is "ntdll".
    for (const bool high : {true, false}) {
        for (std::size_t i = 0; i < names_.size(); ++i) {
            if ((process.modules[i].range.begin() > UINT32_MAX) == high) give(i);
        }
    }
}

const std::string& ModuleNames::name(const Module& module) const {
    const auto index = static_cast<std::size_t>(&module - process_.modules.items.data());
    return names_[index];
}

const Module* ModuleNames::find(std::string_view text) const {
    if (text.empty()) return nullptr;
    const std::string wanted = folded(text);
    const Module* beginning = nullptr;
    bool several = false;
    for (std::size_t i = 0; i < names_.size(); ++i) {
        const Module& module = process_.modules[i];
        const std::string name = folded(names_[i]);
        if (name == wanted || folded(module.fileName()) == wanted) return &module;
        if (!name.starts_with(wanted)) continue;
        several = beginning != nullptr;
        beginning = &module;
    }
    return several ? nullptr : beginning;
}

std::vector<const Module*> ModuleNames::matching(std::string_view pattern) const {
    std::vector<const Module*> found;
    for (std::size_t i = 0; i < names_.size(); ++i) {
        const Module& module = process_.modules[i];
        if (matchesWildcard(names_[i], pattern) || matchesWildcard(module.fileName(), pattern))
            found.push_back(&module);
    }
    // No wildcard and nothing found: the module that a command like `x lib!f` would mean.
    if (found.empty() && pattern.find_first_of("*?") == std::string_view::npos) {
        if (const Module* module = find(pattern)) found.push_back(module);
    }
    return found;
}

}  // namespace icecore::debugger
