// The lines of a stack.
#pragma once

#include <cstdint>
#include <string>

#include "debugger/output.h"
#include "debugger/session.h"

namespace icecore::debugger {

/// Which columns `k` shows.
struct StackStyle {
    bool numbers = false;    ///< n: frame numbers
    bool arguments = false;  ///< b, v: four words above the return address
    bool trust = false;      ///< v: how every frame was found, also where it is certain
    bool distance = false;   ///< f: bytes of stack between frames
    bool bare = false;       ///< c: function names only
    bool lines = true;       ///< L, M, c: without file and line
    /// p and P: parameters with their values, in one line or a line each.
    enum class Parameters : std::uint8_t { none, inLine, lines } parameters = Parameters::none;
};

std::string stackHeader(const Session& session, const StackStyle& style);
/// The line of `stack.frames[index]`, with line end. Frames that are not certain say how they were
/// found: "(frame pointer)", "(scan: may be stale)".
std::string frameLine(const Session& session, const NamedStack& stack, std::size_t index,
                      const StackStyle& style);
/// Header, frames and, where the stack does not end by itself, why. At most `limit` frames.
void printStack(Session& session, Output& out, const NamedStack& stack, const StackStyle& style,
                std::size_t limit);

}  // namespace icecore::debugger
