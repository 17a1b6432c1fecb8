# cmake -D PROGRAM=… -D NAME=… -D OUT=… [-D LABEL=…] -P list_suites.cmake
# Writes to OUT one add_test() per suite of the GoogleTest program PROGRAM.

execute_process(COMMAND ${PROGRAM} --gtest_list_tests
    OUTPUT_VARIABLE listing RESULT_VARIABLE status)
if(NOT status EQUAL 0)
    message(FATAL_ERROR "${PROGRAM} --gtest_list_tests failed: ${status}")
endif()

# Suites stand at the start of a line and end in a dot ("Cursor.", "Sizes/Cursor.  # TypeParam = …");
# their tests are indented below them.
string(REPLACE ";" "," listing "${listing}")
string(REGEX MATCHALL "(^|\n)[A-Za-z_][A-Za-z0-9_/]*\\." suites "${listing}")
set(text "")
set(seconds 300)
if(LABEL)
    set(seconds 7200)  # what is left out of `make test` is so because it takes long
endif()
foreach(suite IN LISTS suites)
    string(STRIP "${suite}" suite)
    string(REGEX REPLACE "\\.$" "" suite "${suite}")
    if(suite MATCHES "^DISABLED_|/DISABLED_")
        continue()
    endif()
    string(APPEND text "add_test([=[${NAME}.${suite}]=] [=[${PROGRAM}]=]"
        " [=[--gtest_filter=${suite}.*]=] --gtest_brief=1)\n"
        "set_tests_properties([=[${NAME}.${suite}]=] PROPERTIES TIMEOUT ${seconds}"
        " ENVIRONMENT [=[UBSAN_OPTIONS=print_stacktrace=1]=]")
    if(suite MATCHES "Serial$")
        string(APPEND text " RUN_SERIAL ON")
    endif()
    if(LABEL)
        string(APPEND text " LABELS ${LABEL}")
    endif()
    string(APPEND text ")\n")
endforeach()
file(WRITE ${OUT} "${text}")
