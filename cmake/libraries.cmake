# Outside libraries, each under the one name that cmake/rooms.txt uses for it. The system's own
# packages are used throughout; docs/dependencies.md says why each is here.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(CLI11 REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Snappy REQUIRED)
foreach(module libdeflate openssl libzstd liblz4 liblzma libcurl libmspack capstone libedit)
    pkg_check_modules(${module} REQUIRED QUIET IMPORTED_TARGET ${module})
endforeach()

set(ICECORE_LIBRARY_threads Threads::Threads)
set(ICECORE_LIBRARY_cli11 CLI11::CLI11)
set(ICECORE_LIBRARY_json nlohmann_json::nlohmann_json)
set(ICECORE_LIBRARY_zlib ZLIB::ZLIB)
set(ICECORE_LIBRARY_deflate PkgConfig::libdeflate)
set(ICECORE_LIBRARY_zstd PkgConfig::libzstd)
set(ICECORE_LIBRARY_lz4 PkgConfig::liblz4)
set(ICECORE_LIBRARY_snappy Snappy::snappy)
set(ICECORE_LIBRARY_lzma PkgConfig::liblzma)
# Only libcurl's headers: the library and the thirty it needs are loaded when something is fetched.
add_library(icecore_curl_headers INTERFACE)
target_include_directories(icecore_curl_headers SYSTEM INTERFACE ${libcurl_INCLUDE_DIRS})
target_link_libraries(icecore_curl_headers INTERFACE ${CMAKE_DL_LIBS})
set(ICECORE_LIBRARY_curl_headers icecore_curl_headers)
set(ICECORE_LIBRARY_mspack PkgConfig::libmspack)
set(ICECORE_LIBRARY_capstone PkgConfig::capstone)
set(ICECORE_LIBRARY_ssl PkgConfig::openssl)
set(ICECORE_LIBRARY_edit PkgConfig::libedit)

# Needed only by tests and benchmarks: `make` builds the program without them.
find_package(GTest QUIET)
find_package(benchmark QUIET)
