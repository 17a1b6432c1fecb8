// Error, Result and the two macros that pass errors on.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace icecore {

/// What kind of thing went wrong; callers branch on this, people read `Error::message`.
enum class Errc {
    io,           ///< the operating system refused a read, write, seek…
    not_found,    ///< the file, process, symbol… is not there
    permission,   ///< it is there, and we may not
    exists,       ///< it is there already, and must not be replaced
    truncated,    ///< the data ends before what it promises
    malformed,    ///< the data contradicts itself or its specification
    unsupported,  ///< understood, and not handled
    limit,        ///< handling it would exceed a bound we keep for safety
    unreadable,   ///< an address that cannot be read
    target_gone,  ///< the process ended while we looked at it
    busy,         ///< someone else holds it (a tracer, a lock)
    cancelled,    ///< the user asked to stop
    mismatch,     ///< a file that does not belong to this dump
    usage,        ///< the caller's arguments are wrong
    internal,     ///< a defect of ours
};

/// The word for `code` used in messages and JSON, e.g. "truncated".
std::string_view toString(Errc code);

/// Why an operation failed. `where` names the file or address space and the offset or address,
/// e.g. "core.1234 at 0x40". `cause` is the error underneath, if any.
struct Error {
    Errc code = Errc::internal;
    std::string message;
    std::string where;
    std::shared_ptr<const Error> cause;

    /// "message (where): cause", on one line.
    [[nodiscard]] std::string describe() const;
};

/// Anything that a file, a target or the OS can make fail.
template <class T>
using Result = std::expected<T, Error>;

/// `return fail(Errc::malformed, "…", where)`.
[[nodiscard]] inline std::unexpected<Error> fail(Errc code, std::string message,
                                                 std::string where = {}) {
    return std::unexpected(Error{code, std::move(message), std::move(where), nullptr});
}

/// As `fail`, keeping `cause` underneath.
[[nodiscard]] std::unexpected<Error> failBecause(Error cause, std::string message,
                                                 std::string where = {});

/// An Error from an `errno` value (Errc chosen by it, text of strerror appended to `message`).
[[nodiscard]] std::unexpected<Error> failErrno(int errnoValue, std::string message,
                                               std::string where = {});

}  // namespace icecore

#define ICECORE_CONCAT_(a, b) a##b
#define ICECORE_CONCAT(a, b) ICECORE_CONCAT_(a, b)

/// Evaluates an expression of type Result<…> and returns its error, if it has one.
#define TRY(expression)                                              \
    do {                                                             \
        if (auto icecoreTried = (expression); !icecoreTried)         \
            return std::unexpected(std::move(icecoreTried).error()); \
    } while (false)

/// ASSIGN_OR_RETURN(auto file, openFile(path)): declares or assigns the value, or returns the
/// error.
#define ASSIGN_OR_RETURN(declaration, expression) \
    ICECORE_ASSIGN_OR_RETURN_(ICECORE_CONCAT(icecoreResult, __LINE__), declaration, expression)
// `result` and `declaration` declare names, which cannot stand in parentheses.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define ICECORE_ASSIGN_OR_RETURN_(result, declaration, expression)  \
    auto result = (expression);                                     \
    if (!result) return std::unexpected(std::move(result).error()); \
    declaration = std::move(result).value()
// NOLINTEND(bugprone-macro-parentheses)
