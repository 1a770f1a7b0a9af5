# Prints what an image takes in memory, and fails when text and data are larger than LIMIT_KIB (0: no limit).
# Usage: cmake -DSIZE=size -DIMAGE=elf -DLIMIT_KIB=n -P check_size.cmake
execute_process(COMMAND ${SIZE} ${IMAGE} OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "\n *([0-9]+)[ \t]+([0-9]+)[ \t]+([0-9]+)" ignored "${output}")
math(EXPR kib "(${CMAKE_MATCH_1} + ${CMAKE_MATCH_2} + 1023) / 1024")
math(EXPR bss_kib "(${CMAKE_MATCH_3} + 1023) / 1024")
message(STATUS "${IMAGE}: text and data ${kib} KiB, bss ${bss_kib} KiB")
if(LIMIT_KIB GREATER 0 AND kib GREATER LIMIT_KIB)
	message(FATAL_ERROR "${IMAGE}: text and data are larger than ${LIMIT_KIB} KiB")
endif()
