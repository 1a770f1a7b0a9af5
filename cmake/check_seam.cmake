# Fails when OBJECT has undefined symbols outside the machine contract.
# Usage: cmake -DNM=nm -DOBJECT=file.o -P check_seam.cmake
execute_process(COMMAND ${NM} --undefined-only --format=posix ${OBJECT}
	OUTPUT_VARIABLE output RESULT_VARIABLE status)
if(status)
	message(FATAL_ERROR "${NM} failed on ${OBJECT}")
endif()
string(REGEX MATCHALL "[^\n]+" lines "${output}")
set(foreign "")
foreach(line ${lines})
	string(REGEX REPLACE " .*" "" symbol "${line}")
	if(NOT symbol MATCHES "^(arch_|memtools_)" AND NOT symbol STREQUAL "_GLOBAL_OFFSET_TABLE_")
		list(APPEND foreign ${symbol})
	endif()
endforeach()
if(foreign)
	list(JOIN foreign " " text)
	message(FATAL_ERROR "the core needs what no machine offers: ${text}")
endif()
