# The shared libraries of the room capi, beside the program: libdbghelp.so, once more under the name
# that .NET's DllImport("dbghelp.dll") looks for, and icecore-dumper, which dumps its own caller.

function(icecore_capi)
    if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
        return()
    endif()
    set(room ${CMAKE_SOURCE_DIR}/src/capi)
    target_include_directories(icecore_capi PUBLIC ${CMAKE_SOURCE_DIR}/include)
    file(RELATIVE_PATH libexec ${CMAKE_INSTALL_FULL_LIBDIR} ${CMAKE_INSTALL_FULL_LIBEXECDIR}/icecore)
    target_compile_definitions(icecore_capi PRIVATE
        ICECORE_LIBEXECDIR="${CMAKE_INSTALL_FULL_LIBEXECDIR}/icecore"
        ICECORE_LIBEXECDIR_FROM_LIBRARY="${libexec}")
    target_link_libraries(icecore_capi PUBLIC ${CMAKE_DL_LIBS})

    add_executable(icecore-dumper ${room}/linux/dumper_main.cpp)
    target_link_libraries(icecore-dumper PRIVATE icecore::capi)
    set_target_properties(icecore-dumper PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
    icecore_precompiled(icecore-dumper icecore_pch)

    set(names ${room}/dbghelp.map)
    add_library(icecore_dbghelp SHARED ${room}/minidump_write_dump.cpp)
    target_link_libraries(icecore_dbghelp PRIVATE icecore::capi)
    target_link_options(icecore_dbghelp PRIVATE -Wl,--version-script=${names})
    set_target_properties(icecore_dbghelp PROPERTIES
        OUTPUT_NAME dbghelp LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} LINK_DEPENDS ${names})
    icecore_precompiled(icecore_dbghelp icecore_pch)
    add_dependencies(icecore_dbghelp icecore-dumper)
    set(link dbghelp.dll.so)
    add_custom_command(TARGET icecore_dbghelp POST_BUILD VERBATIM
        COMMAND ${CMAKE_COMMAND} -E create_symlink libdbghelp.so ${CMAKE_BINARY_DIR}/${link})

    install(TARGETS icecore_dbghelp LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(FILES ${CMAKE_BINARY_DIR}/${link} DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(TARGETS icecore-dumper RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/icecore)
    install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/icecore DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
    icecore_library(${room})
endfunction()

# libicecore.so and libicecore.a with the functions of icecore.h, as packages for CMake and pkg-config.
function(icecore_library room)
    add_library(icecore_shared SHARED ${room}/api_dump.cpp ${room}/api_read.cpp)
    target_link_libraries(icecore_shared PRIVATE icecore::capi)
    target_include_directories(icecore_shared INTERFACE
        $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    target_link_options(icecore_shared PRIVATE -Wl,--version-script=${room}/icecore.map)
    set_target_properties(icecore_shared PROPERTIES
        OUTPUT_NAME icecore EXPORT_NAME icecore VERSION ${PROJECT_VERSION} SOVERSION 0
        LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} LINK_DEPENDS ${room}/icecore.map)
    icecore_precompiled(icecore_shared icecore_pch)
    add_dependencies(icecore_shared icecore-dumper)

    set(archives "")
    set(parts "")
    get_property(rooms GLOBAL PROPERTY ICECORE_ROOMS)
    foreach(alias IN LISTS rooms)
        get_target_property(part ${alias} ALIASED_TARGET)
        get_target_property(kind ${part} TYPE)
        if(kind STREQUAL "STATIC_LIBRARY" AND NOT part MATCHES "_(app|views|debugger|monitor)$")
            list(APPEND parts ${part})
            list(APPEND archives $<TARGET_FILE:${part}>)
        endif()
    endforeach()
    set(whole ${CMAKE_BINARY_DIR}/libicecore.a)
    add_custom_command(OUTPUT ${whole} VERBATIM DEPENDS ${parts}
        COMMAND ${CMAKE_COMMAND} -D AR=${CMAKE_AR} -D OUT=${whole} "-DARCHIVES=${archives}"
            -P ${CMAKE_SOURCE_DIR}/cmake/merge_archives.cmake)
    add_custom_target(icecore_static ALL DEPENDS ${whole})

    # An installation may be moved, and `cmake --install --prefix` says another place than configured.
    file(RELATIVE_PATH to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
    configure_file(cmake/icecore.pc.in icecore.pc @ONLY)
    include(CMakePackageConfigHelpers)
    write_basic_package_version_file(${CMAKE_BINARY_DIR}/icecoreConfigVersion.cmake
        COMPATIBILITY SameMinorVersion)
    set(package ${CMAKE_INSTALL_LIBDIR}/cmake/icecore)
    install(TARGETS icecore_shared EXPORT icecore LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(EXPORT icecore NAMESPACE icecore:: FILE icecoreConfig.cmake DESTINATION ${package})
    install(FILES ${CMAKE_BINARY_DIR}/icecoreConfigVersion.cmake DESTINATION ${package})
    install(FILES ${whole} DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(FILES ${CMAKE_BINARY_DIR}/icecore.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
