// The text of a C++ expression and a position in it. Which names are types only the symbols know.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "debugger/cpp_value.h"

namespace icecore::debugger {

class CppText {
public:
    CppText(std::string_view text, const Session& session) : text_(text), session_(session) {}

    void skipBlanks();
    [[nodiscard]] bool ended() const { return at_ >= text_.size(); }
    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    /// What is left.
    [[nodiscard]] std::string_view here() const { return text_.substr(at_); }
    [[nodiscard]] std::size_t position() const { return at_; }
    void moveTo(std::size_t position) { at_ = position; }
    void advance(std::size_t count) { at_ += count; }
    /// Moves past blanks, and past `what` when it stands there.
    bool take(std::string_view what);

    /// Whether a name begins here: with a letter, '_' or '$'.
    [[nodiscard]] bool atName() const;
    /// A name without scopes; may be empty.
    std::string_view takeWord();
    /// `module!ns::name<int>`: what stands in angle brackets belongs to it when that is a name.
    std::string takeName();
    /// What stands up to the parenthesis that closes the one before; moves past it. Nothing when
    /// none does.
    std::optional<std::string_view> takeToClosing();
    /// A type's name and its stars.
    std::optional<CppType> takeType();
    /// `(TYPE)` here; stays where it is when there is none.
    std::optional<CppType> takeCast();

    [[nodiscard]] std::unexpected<Error> syntaxError() const;

private:
    std::string_view text_;
    const Session& session_;
    std::size_t at_ = 0;
};

}  // namespace icecore::debugger
