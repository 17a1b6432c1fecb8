// Outputs that go over the network and are for nobody else: TLS, by OpenSSL.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "app/connection_linux.h"
#include "app/output.h"

namespace icecore::app {

namespace {

/// Where distributions keep the authorities that they trust: a static program's library looks only
/// where the machine that it was built on has them.
constexpr std::array systemBundles = {
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",                   // Red Hat's
    "/etc/ssl/ca-bundle.pem",                             // SUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // CentOS
    "/etc/ssl/cert.pem",                                  // Alpine
};
/// How long the other side may take to say that it is done, too.
constexpr timeval farewell{10, 0};
constexpr std::size_t mostAtOnce = std::size_t{1} << 20;

struct Freed {
    void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
    void operator()(SSL* connection) const { ::SSL_free(connection); }
};

/// The library's own words for what went wrong last.
std::string reason() {
    const unsigned long code = ::ERR_get_error();
    ::ERR_clear_error();
    const char* const text = code == 0 ? nullptr : ::ERR_reason_error_string(code);
    return text == nullptr ? "the connection broke" : text;
}

Result<std::unique_ptr<SSL_CTX, Freed>> trusting(const std::string& caCertificates) {
    std::unique_ptr<SSL_CTX, Freed> context(::SSL_CTX_new(::TLS_client_method()));
    if (!context) return fail(Errc::limit, "TLS cannot be begun: " + reason());
    ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    if (!caCertificates.empty()) {
        if (::SSL_CTX_load_verify_locations(context.get(), caCertificates.c_str(), nullptr) != 1)
            return fail(Errc::unreadable, "has no certificates to trust: " + reason(),
                        caCertificates);
        return context;
    }
    // SSL_CERT_FILE and SSL_CERT_DIR count here.
    ::SSL_CTX_set_default_verify_paths(context.get());
    for (const char* const bundle : systemBundles) {
        if (::access(bundle, R_OK) == 0 &&
            ::SSL_CTX_load_verify_locations(context.get(), bundle, nullptr) == 1)
            break;
    }
    ::ERR_clear_error();
    return context;
}

/// Whose certificate it must be. An address is looked for as an address; a name is told to the
/// other side, which may have several.
bool expect(SSL* connection, const std::string& host) {
    X509_VERIFY_PARAM* const wanted = ::SSL_get0_param(connection);
    if (::X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) == 1) return true;
    ::ERR_clear_error();
    ::SSL_set_hostflags(connection, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return ::SSL_set1_host(connection, host.c_str()) == 1 &&
           // SSL_set_tlsext_host_name, which is a macro with a cast of C's.
           ::SSL_ctrl(connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                      const_cast<char*>(host.c_str())) == 1;
}

class TlsSink final : public Sink {
public:
    TlsSink(Descriptor socket, std::unique_ptr<SSL_CTX, Freed> context,
            std::unique_ptr<SSL, Freed> connection, std::string name)
        : socket_(std::move(socket)),
          context_(std::move(context)),
          connection_(std::move(connection)),
          name_(std::move(name)) {}

    [[nodiscard]] Result<void> write(std::span<const std::byte> bytes) override {
        while (!bytes.empty()) {
            std::size_t count = 0;
            const auto piece = bytes.first(std::min(bytes.size(), mostAtOnce));
            if (::SSL_write_ex(connection_.get(), piece.data(), piece.size(), &count) != 1)
                return fail(Errc::io, "cannot be sent: " + reason(), name_);
            bytes = bytes.subspan(count);
            position_ += count;
        }
        return {};
    }
    [[nodiscard]] Result<void> zeros(std::uint64_t count) override {
        static constexpr std::array<std::byte, 65536> block{};
        while (count > 0) {
            const auto piece =
                static_cast<std::size_t>(std::min<std::uint64_t>(count, block.size()));
            TRY(write(std::span(block).first(piece)));
            count -= piece;
        }
        return {};
    }
    /// Says that this is all, and hears the other side out: a socket that is closed with anything
    /// unread may take back what was sent last.
    [[nodiscard]] Result<void> finish() override {
        if (::SSL_shutdown(connection_.get()) < 0)
            return fail(Errc::io, "cannot end the connection: " + reason(), name_);
        (void)::shutdown(socket_.get(), SHUT_WR);
        (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &farewell, sizeof farewell);
        std::array<std::byte, 4096> rest{};
        std::size_t count = 0;
        while (::SSL_read_ex(connection_.get(), rest.data(), rest.size(), &count) == 1) {
        }
        ::ERR_clear_error();
        return {};
    }

private:
    Descriptor socket_;
    std::unique_ptr<SSL_CTX, Freed> context_;
    std::unique_ptr<SSL, Freed> connection_;
    std::string name_;
};

}  // namespace

Result<std::unique_ptr<Sink>> connectTls(const std::string& target,
                                         const std::string& caCertificates) {
    ASSIGN_OR_RETURN(auto context, trusting(caCertificates));
    ASSIGN_OR_RETURN(Connection to, connectTo(target));
    std::unique_ptr<SSL, Freed> connection(::SSL_new(context.get()));
    if (!connection || !expect(connection.get(), to.host) ||
        ::SSL_set_fd(connection.get(), to.socket.get()) != 1)
        return fail(Errc::limit, "TLS cannot be begun: " + reason(), target);
    if (::SSL_connect(connection.get()) != 1) {
        const long verdict = ::SSL_get_verify_result(connection.get());
        if (verdict != X509_V_OK)
            return fail(Errc::permission,
                        std::string("its certificate is not trusted: ") +
                            ::X509_verify_cert_error_string(verdict) +
                            "; --cacert FILE names the certificates to trust",
                        target);
        return fail(Errc::io, "no TLS connection: " + reason(), target);
    }
    return std::make_unique<TlsSink>(std::move(to.socket), std::move(context),
                                     std::move(connection), target);
}

}  // namespace icecore::app
