// Outputs that go over the network.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "app/connection_linux.h"
#include "app/output.h"

namespace icecore::app {

namespace {

/// A connection, or a named pipe: closed when all is written.
class StreamSink final : public Sink {
public:
    StreamSink(Descriptor stream, const std::string& name, bool socket)
        : stream_(std::move(stream)),
          inner_(descriptorSink(stream_.get(), name)),
          name_(name),
          socket_(socket) {}
    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override {
        TRY(inner_->write(bytes));
        position_ = inner_->position();
        return {};
    }
    [[nodiscard]] Result<void> zeros(std::uint64_t count) override {
        TRY(inner_->zeros(count));
        position_ = inner_->position();
        return {};
    }
    [[nodiscard]] Result<void> finish() override {
        TRY(inner_->finish());
        // The other side sees the end only when all has arrived; its answer, if any, is not ours.
        if (socket_ && ::shutdown(stream_.get(), SHUT_WR) != 0)
            return failErrno(errno, "cannot end the connection", name_);
        return {};
    }

private:
    Descriptor stream_;
    std::unique_ptr<Sink> inner_;
    std::string name_;
    bool socket_;
};

}  // namespace

Result<std::unique_ptr<Sink>> connectTcp(const std::string& target) {
    ASSIGN_OR_RETURN(Connection connection, connectTo(target));
    return std::make_unique<StreamSink>(std::move(connection.socket), target, true);
}

Result<std::unique_ptr<Sink>> openNamedPipe(const std::string& path) {
    Descriptor pipe(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!pipe.valid()) return failErrno(errno, "cannot open", path);
    return std::make_unique<StreamSink>(std::move(pipe), path, false);
}

}  // namespace icecore::app
