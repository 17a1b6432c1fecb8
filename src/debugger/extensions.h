// Commands that shared libraries bring along (icecore_extension.h), loaded by `.load`.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "debugger/icecore_extension.h"
#include "symbols/dynamic_library.h"

namespace icecore::debugger {

class Output;
class Session;

struct ExtensionCommand {
    std::string name;  ///< with its '!'
    std::string summary;
    const icecore_command* command = nullptr;
};

struct Extension {
    std::string path, name;  ///< `name`: of the file, without ".so"
    std::unique_ptr<DynamicLibrary> library;
    std::vector<ExtensionCommand> commands;
};

/// The extensions of one session, in the order they were loaded; the last one's names win.
class Extensions {
public:
    /// `not_found` when there is no such file; `unsupported` for libraries of Windows, which run
    /// inside WinDbg alone, and for those that are no extensions of icecore.
    Result<const Extension*> load(const std::string& path);
    /// False when none is called so.
    bool unload(std::string_view name);
    [[nodiscard]] const std::vector<Extension>& all() const { return loaded_; }

    /// The command that `word` calls: "!name" or "!extension.name"; null when there is none.
    [[nodiscard]] const ExtensionCommand* find(std::string_view word) const;
    /// Runs it. `execute` runs commands for it and says whether all went well.
    static Result<void> run(const ExtensionCommand& command, std::string_view arguments,
                            Session& session, Output& out,
                            const std::function<bool(std::string_view)>& execute);

private:
    std::vector<Extension> loaded_;
};

}  // namespace icecore::debugger
