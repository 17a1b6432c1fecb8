// Stands in for libFuzzer in ordinary builds: gives every file under the directories (or files)
// named on the command line to the fuzz target once, in a fixed order. A crash or a sanitizer
// report fails the test; the file's name is printed first, so it is known which one did it.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> filesUnder(const fs::path& root) {
    std::vector<fs::path> files;
    std::error_code none;
    if (fs::is_regular_file(root, none)) files.push_back(root);
    if (fs::is_directory(root, none)) {
        for (const auto& entry : fs::recursive_directory_iterator(root, none)) {
            if (entry.is_regular_file(none)) files.push_back(entry.path());
        }
    }
    std::ranges::sort(files);
    return files;
}

}  // namespace

int main(int argc, char** argv) {
    // The empty input needs no file.
    LLVMFuzzerTestOneInput(nullptr, 0);
    std::size_t count = 0;
    for (int i = 1; i < argc; ++i) {
        for (const auto& file : filesUnder(argv[i])) {
            std::printf("%s\n", file.c_str());
            std::fflush(stdout);
            std::ifstream in(file, std::ios::binary);
            const std::string bytes{std::istreambuf_iterator<char>(in), {}};
            // An exact heap copy: the sanitizer sees a read past the end that the string's own
            // terminator and spare capacity would hide.
            const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
            LLVMFuzzerTestOneInput(input.data(), input.size());
            ++count;
        }
    }
    std::printf("%zu files replayed\n", count);
    return 0;
}
