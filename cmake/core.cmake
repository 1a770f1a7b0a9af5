# The core, freestanding: src/{lib,mm,sched,syscall,fs,trace} and the user ABI of the
# architecture. -nostdinc with only the compiler's own headers makes a libc
# header in the core an error on every machine.
execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=include
	OUTPUT_VARIABLE compiler_include OUTPUT_STRIP_TRAILING_WHITESPACE)

set(LEVITATE_WARNINGS -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
	-Wno-unused-parameter -Wno-sign-compare)

add_library(core_flags INTERFACE)
target_compile_options(core_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:${LEVITATE_WARNINGS}>
	$<$<COMPILE_LANGUAGE:C>:-ffreestanding;-fbuiltin;-nostdinc;-isystem${compiler_include}>
	-fno-strict-aliasing -fno-common -fno-omit-frame-pointer -fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=)
target_include_directories(core_flags INTERFACE
	${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR}/src/arch_${LEVITATE_ARCH})
if(LEVITATE_DEBUG)
	target_compile_definitions(core_flags INTERFACE LEVITATE_DEBUG=1)
endif()

file(GLOB core_sources CONFIGURE_DEPENDS
	src/lib/*.c src/mm/*.c src/sched/*.c src/syscall/*.c src/fs/*.c src/trace/*.c)
foreach(name signal syscalls cpuinfo)
	if(EXISTS ${CMAKE_SOURCE_DIR}/src/arch_${LEVITATE_ARCH}/${name}.c)
		list(APPEND core_sources src/arch_${LEVITATE_ARCH}/${name}.c)
	endif()
endforeach()
list(REMOVE_ITEM core_sources ${CMAKE_SOURCE_DIR}/src/mm/pt.c)
if(LEVITATE_MACHINE STREQUAL "host")
	# libc has these functions; the unit tests compare ours with them.
	list(REMOVE_ITEM core_sources ${CMAKE_SOURCE_DIR}/src/lib/string.c)
endif()

# The generic page table, compiled once for a codec: pt_<name> exports pt_ops_<name>.
function(add_page_table name header)
	add_library(pt_${name} OBJECT ${CMAKE_SOURCE_DIR}/src/mm/pt.c)
	target_link_libraries(pt_${name} PRIVATE core_flags)
	target_compile_definitions(pt_${name} PRIVATE "PTE_CODEC_HEADER=\"${header}\"" PT_OPS=pt_ops_${name})
endfunction()

add_library(core OBJECT ${core_sources})
target_link_libraries(core PUBLIC core_flags)
if(LEVITATE_MACHINE STREQUAL "host")
	add_page_table(x86_64 arch_x86_64/pte.h)
	add_page_table(aarch64 arch_aarch64/pte.h)
	set(core_objects $<TARGET_OBJECTS:core> $<TARGET_OBJECTS:pt_x86_64> $<TARGET_OBJECTS:pt_aarch64>)
else()
	add_page_table(${LEVITATE_ARCH} arch_${LEVITATE_ARCH}/pte.h)
	set(core_objects $<TARGET_OBJECTS:core> $<TARGET_OBJECTS:pt_${LEVITATE_ARCH}>)
endif()
