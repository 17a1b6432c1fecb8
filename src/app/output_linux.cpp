// Outputs that go over the network.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "app/connection_linux.h"
#include "app/output.h"

namespace icecore::app {

namespace {

class TcpSink final : public Sink {
public:
    TcpSink(Descriptor socket, const std::string& name)
        : socket_(std::move(socket)), inner_(descriptorSink(socket_.get(), name)), name_(name) {}
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
        if (::shutdown(socket_.get(), SHUT_WR) != 0)
            return failErrno(errno, "cannot end the connection", name_);
        return {};
    }

private:
    Descriptor socket_;
    std::unique_ptr<Sink> inner_;
    std::string name_;
};

}  // namespace

Result<std::unique_ptr<Sink>> connectTcp(const std::string& target) {
    ASSIGN_OR_RETURN(Connection connection, connectTo(target));
    return std::make_unique<TcpSink>(std::move(connection.socket), target);
}

}  // namespace icecore::app
