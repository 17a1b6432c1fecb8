// Commands over the made-up process, and what they print.
#pragma once

#include <gtest/gtest.h>

#include "debugger/interpreter.h"
#include "debugger/synthetic_session.h"

namespace icecore::debugger {

class InterpreterTest : public ::testing::Test {
protected:
    explicit InterpreterTest(std::unique_ptr<Session> session = syntheticSession())
        : session_(std::move(session)) {}

    /// What a line prints.
    std::string run(std::string_view line) {
        good_ = interpreter_.execute(line);
        return output_.take();
    }

    std::unique_ptr<Session> session_;
    TextOutput output_;
    Interpreter interpreter_{*session_, output_};
    bool good_ = false;  ///< of the last line: nothing failed
};

}  // namespace icecore::debugger
