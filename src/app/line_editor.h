// Lines typed by a person: editing, history, completion. Terminals are the system's business.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace icecore::app {

class LineEditor {
public:
    /// What the word before the cursor may become; `line` ends at the cursor. Each item replaces
    /// that word's last part as the function returns it.
    struct Completion {
        std::size_t wordLength = 0;  ///< characters before the cursor that are replaced
        std::vector<std::string> candidates;
    };
    using Complete = std::function<Completion(std::string_view line)>;

    virtual ~LineEditor() = default;
    /// The next line, or nothing at the end of input.
    [[nodiscard]] virtual std::optional<std::string> read(const std::string& prompt) = 0;
};

/// Whether a person sits at both standard input and standard output.
bool isInteractive();

/// Edits on the terminal; history is kept in $XDG_STATE_HOME/icecore/history (mode 0600), or
/// ~/.local/state/icecore/history. Null when the terminal cannot be used.
std::unique_ptr<LineEditor> createLineEditor(LineEditor::Complete complete);

/// While it lives, ^C calls `interrupt` (in a signal handler) instead of ending the program.
class InterruptGuard {
public:
    explicit InterruptGuard(void (*interrupt)());
    ~InterruptGuard();
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;

private:
    struct Previous;
    std::unique_ptr<Previous> previous_;
};

}  // namespace icecore::app
