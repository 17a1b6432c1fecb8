// What is said of memory that the kernel keeps to itself, over files that look like the kernel's.
// tests/ram_inside.cpp has it of real kernels.
#include "live/ram/rights_linux.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "support/scratch.h"

namespace icecore::ram {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* everyRight = "Name:\tx\nCapEff:\t000001ffffffffff\n";

class KernelRights : public testing::Test {
protected:
    KernelRights() {
        paths_.kcore = path("kcore");
        paths_.lockdown = path("lockdown");
        paths_.commandLine = path("cmdline");
        paths_.status = path("status");
        paths_.userNamespace = path("namespace");
        paths_.containerMarks = {path("dockerenv")};
        write("status", everyRight);
    }
    [[nodiscard]] std::string path(const std::string& name) const { return folder_.file(name); }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream(path(name), std::ios::binary) << text;
    }
    [[nodiscard]] std::string why(int error, std::optional<Lockdown> closes) const {
        return failClosed(error, "/x", rightsHere(paths_), closes).error().describe();
    }
    /// Of sources that could not be opened for these reasons.
    [[nodiscard]] std::string help(const std::vector<std::pair<std::string, Errc>>& tried) const {
        std::vector<Attempt> attempts;
        attempts.reserve(tried.size());
        for (const auto& [source, code] : tried)
            attempts.push_back({source, Error{code, "x", "", nullptr}});
        return helpAgainst(attempts, rightsHere(paths_));
    }
    [[nodiscard]] std::string helpWithAll() const {
        return help(
            {{"kcore", Errc::permission}, {"crash", Errc::not_found}, {"mem", Errc::permission}});
    }

    tests::Scratch folder_;
    Paths paths_;
};

constexpr Lockdown integrity = Lockdown::integrity, confidentiality = Lockdown::confidentiality;

TEST_F(KernelRights, LockdownIsNamedWhereItIsWhatCloses) {
    write("lockdown", "none integrity [confidentiality]\n");
    const std::string closed =
        "cannot be opened: Operation not permitted: the kernel is locked down for ";
    EXPECT_EQ(why(EPERM, confidentiality), closed + "confidentiality (/x)");
    EXPECT_EQ(why(EPERM, integrity), closed + "confidentiality (/x)");
    EXPECT_THAT(helpWithAll(), HasSubstr("boot without lockdown"));
    EXPECT_THAT(helpWithAll(), HasSubstr("qmp:SOCKET"));

    write("lockdown", "none [integrity] confidentiality\n");
    EXPECT_EQ(why(EPERM, integrity), closed + "integrity (/x)");
    EXPECT_THAT(why(EPERM, confidentiality), Not(HasSubstr("lock")));
    EXPECT_THAT(help({{"mem", Errc::permission}}), HasSubstr("/proc/kcore is open to root"));
    // Without kcore nothing is left under lockdown.
    EXPECT_THAT(help({{"kcore", Errc::not_found}, {"mem", Errc::permission}}),
                HasSubstr("boot without lockdown"));

    write("lockdown", "[none] integrity confidentiality\n");
    EXPECT_THAT(why(EPERM, integrity), HasSubstr("security module"));
    EXPECT_EQ(helpWithAll(), "");
}

TEST_F(KernelRights, WithoutSecurityfsTheCommandLineTellsOrWhatIsRefusedDoes) {
    EXPECT_THAT(why(EPERM, confidentiality),
                HasSubstr("to root, as one does that is locked down for confidentiality"));
    EXPECT_THAT(helpWithAll(), HasSubstr("mount -t securityfs"));
    write("cmdline", "quiet lockdown=integrity lockdown=nonsense root=/dev/x\n");
    EXPECT_THAT(why(EPERM, integrity), HasSubstr("was booted with lockdown=integrity (/x)"));
    // It may have been raised since.
    EXPECT_THAT(why(EPERM, confidentiality), HasSubstr("locked down for confidentiality"));
    write("cmdline", "lockdown=confidentiality lockdown=integrity\n");
    EXPECT_THAT(why(EPERM, confidentiality),
                HasSubstr("was booted with lockdown=confidentiality (/x)"));
    EXPECT_THAT(helpWithAll(), testing::StartsWith("boot without lockdown"));
    // Nobody asked it to be, but it may be all the same (Secure Boot).
    write("cmdline", "xlockdown=integrity lockdown= lockdown\n");
    EXPECT_THAT(why(EPERM, integrity), HasSubstr("as one does that is locked down"));
    // What the kernel says counts more.
    write("cmdline", "lockdown=confidentiality\n");
    write("lockdown", "[none] integrity confidentiality\n");
    EXPECT_THAT(why(EPERM, confidentiality), Not(HasSubstr("lock")));
}

TEST_F(KernelRights, MissingRightsAreNamedBeforeLockdown) {
    write("status", "CapEff:\t0000000000000000\n");
    const std::string who = ::geteuid() == 0 ? "this process lacks CAP_SYS_RAWIO"
                                             : "this process is not root (it lacks CAP_SYS_RAWIO)";
    EXPECT_EQ(why(EACCES, confidentiality),
              "cannot be opened: Permission denied: " + who + " (/x)");
    EXPECT_THAT(helpWithAll(),
                HasSubstr(::geteuid() == 0 ? "give it CAP_SYS_RAWIO" : "run it as root"));
    write("lockdown", "none integrity [confidentiality]\n");
    EXPECT_EQ(why(EACCES, confidentiality),
              "cannot be opened: Permission denied: " + who +
                  ", and the kernel is locked down for confidentiality (/x)");
    // Root could do no more.
    EXPECT_THAT(helpWithAll(), Not(HasSubstr("as root")));
    EXPECT_THAT(helpWithAll(), testing::StartsWith("boot without lockdown"));

    write("lockdown", "[none] integrity confidentiality\n");
    write("status", "CapEff:\t0000000000020000\n");
    EXPECT_THAT(why(EACCES, integrity), HasSubstr("lacks CAP_DAC_READ_SEARCH"));
    EXPECT_THAT(help({{"mem", Errc::permission}}), HasSubstr("CAP_SYS_ADMIN"));
    // Whoever has them all is refused by somebody else.
    write("status", everyRight);
    EXPECT_THAT(why(EACCES, integrity), HasSubstr("AppArmor"));
    // Without /proc nothing is known.
    std::filesystem::remove(path("status"));
    EXPECT_EQ(why(EACCES, integrity), "cannot be opened: Permission denied (/x)");
    // What is no question of rights is said as it is.
    EXPECT_EQ(why(EIO, integrity), "cannot be opened: Input/output error (/x)");
}

TEST_F(KernelRights, RootOfAUserNamespaceIsNoRootHere) {
    std::filesystem::create_symlink("user:[4026532000]", path("namespace"));
    EXPECT_THAT(why(EPERM, confidentiality), HasSubstr("in a user namespace, whose rights"));
    EXPECT_THAT(helpWithAll(), HasSubstr("outside of the user namespace"));
    std::filesystem::remove(path("namespace"));
    std::filesystem::create_symlink("user:[4026531837]", path("namespace"));
    EXPECT_THAT(why(EPERM, confidentiality), Not(HasSubstr("namespace")));
}

TEST_F(KernelRights, ContainersHideFilesOrLackRights) {
    const auto nothingThere = [this] {
        return help({{"kcore", Errc::not_found}, {"mem", Errc::not_found}});
    };
    EXPECT_EQ(nothingThere(), "");
    std::filesystem::create_symlink("/dev/null", path("kcore"));
    EXPECT_TRUE(isHidden(path("kcore")));
    EXPECT_THAT(nothingThere(), HasSubstr("run it on the host or in a container with"));
    // A rootless one has no rights to give.
    std::filesystem::create_symlink("user:[4026532000]", path("namespace"));
    EXPECT_EQ(nothingThere(), "run it on the host, as its root: this container hides such files");
    std::filesystem::remove(path("namespace"));
    std::filesystem::remove(path("kcore"));
    write("kcore", "");
    EXPECT_FALSE(isHidden(path("kcore")));
    EXPECT_FALSE(rightsHere(paths_).container);
    write("dockerenv", "");
    EXPECT_THAT(nothingThere(), HasSubstr("on the host"));
    // That there is no crash driver, containers have nothing to do with.
    EXPECT_THAT(helpWithAll(), Not(HasSubstr("on the host")));
    if (::geteuid() != 0) return;
    write("status", "CapEff:\t00000000a80425fb\n");  // Docker's
    EXPECT_THAT(helpWithAll(), testing::StartsWith("start the container with --privileged"));
}

}  // namespace
}  // namespace icecore::ram
