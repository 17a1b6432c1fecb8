// Where commands print: the debugger room itself writes to no terminal.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace icecore::debugger {

/// Takes the text commands produce, piece by piece; a piece may hold several lines or part of one.
class Output {
public:
    virtual ~Output() = default;
    Output() = default;
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    virtual void write(std::string_view text) = 0;
    /// `.cls`: clears the screen where there is one.
    virtual void clear() {}

    template <class... Arguments>
    void print(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
        write(fmt::format(format, std::forward<Arguments>(arguments)...));
    }
};

/// Collects the text.
class TextOutput final : public Output {
public:
    void write(std::string_view text) override { text_.append(text); }
    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] std::string take() { return std::exchange(text_, {}); }

private:
    std::string text_;
};

}  // namespace icecore::debugger
