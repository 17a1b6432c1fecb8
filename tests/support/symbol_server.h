// Symbol stores, and a real HTTP server with one, slow and failing ways included
// (data/symbol_server.py).
#pragma once

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "support/paths.h"
#include "support/scratch.h"
#include "support/victim.h"

namespace icecore::tests {

/// Writes a file of a store, with the folders above it.
inline void putFile(const std::filesystem::path& path, std::string_view content) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
}

class SymbolServer {
public:
    /// `certificate`: a PEM file with its key, for a server that speaks TLS.
    explicit SymbolServer(const std::filesystem::path& store, const std::string& certificate = {})
        : log_(scratch_.file("log")),
          portFile_(scratch_.file("port")),
          scheme_(certificate.empty() ? "http" : "https") {
        const ShellOutput started = shell(
            "python3 -u '" + sourceFile("tests/data/symbol_server.py") + "' '" + store.string() +
            "' '" + log_ + "' " + certificate + " > '" + portFile_ + "' 2>/dev/null & echo $!");
        pid_ = static_cast<pid_t>(parseDecimal(trim(started.text)).value_or(0));
        eventually([&] {
            const std::string text = readText(portFile_);
            if (!text.ends_with('\n')) return false;
            port_ = parseDecimal(trim(text)).value_or(0);
            return true;
        });
    }
    ~SymbolServer() { stop(); }
    SymbolServer(const SymbolServer&) = delete;
    SymbolServer& operator=(const SymbolServer&) = delete;

    void stop() {
        if (pid_ > 0) ::kill(pid_, SIGKILL);
        pid_ = 0;
    }
    [[nodiscard]] bool running() const { return port_ != 0; }
    /// "http://127.0.0.1:1234/KIND", "https://…".
    [[nodiscard]] std::string url(const std::string& kind) const {
        return scheme_ + "://127.0.0.1:" + std::to_string(port_) + "/" + kind;
    }
    /// Lines of its log: "PATH RANGE".
    [[nodiscard]] std::vector<std::string> requests(const std::string& part = "") const {
        std::vector<std::string> found;
        std::ifstream file(log_);
        for (std::string line; std::getline(file, line);) {
            if (line.find(part) != std::string::npos) found.push_back(line);
        }
        return found;
    }
    /// The largest number of requests that were answered at the same time.
    [[nodiscard]] std::uint64_t mostAtOnce() const {
        return parseDecimal(trim(readText(log_ + ".most"))).value_or(0);
    }

private:
    const Scratch scratch_;
    std::string log_, portFile_, scheme_;
    pid_t pid_ = 0;
    std::uint64_t port_ = 0;
};

}  // namespace icecore::tests
