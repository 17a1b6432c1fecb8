// Standard output as the debugger's screen.
#pragma once

#include <string_view>

#include "debugger/output.h"

namespace icecore::app {

class Console final : public debugger::Output {
public:
    /// `terminal`: a person looks at it, `.cls` clears it.
    explicit Console(bool terminal) : terminal_(terminal) {}
    void write(std::string_view text) override;
    void clear() override;
    void flush();

private:
    bool terminal_;
};

}  // namespace icecore::app
