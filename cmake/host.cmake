# The hosted machine: build/<preset>/levitate, an ordinary Linux program.
file(GLOB machine_sources CONFIGURE_DEPENDS src/hostarch/*.c)
set(libc_sources ${machine_sources})
list(FILTER libc_sources INCLUDE REGEX "/(host[^/]*|main|memtools)\\.c$")
list(FILTER libc_sources EXCLUDE REGEX "/hostfs[^/]*\\.c$")
list(REMOVE_ITEM machine_sources ${libc_sources})

find_package(PkgConfig REQUIRED)
pkg_check_modules(UNWIND REQUIRED IMPORTED_TARGET libunwind-generic)

if(LEVITATE_COVERAGE)
	target_compile_options(core_flags INTERFACE $<$<COMPILE_LANGUAGE:C>:--coverage;-O0>)
	add_link_options(--coverage)
endif()

# Kernel code of the machine: the core's rules. Host code: libc's headers.
add_library(machine OBJECT ${machine_sources} src/arch_${LEVITATE_ARCH}/context.S)
target_link_libraries(machine PRIVATE core_flags)
add_library(host_code OBJECT ${libc_sources})
target_compile_options(host_code PRIVATE ${LEVITATE_WARNINGS} -fno-omit-frame-pointer)
target_compile_definitions(host_code PRIVATE _GNU_SOURCE LEVITATE_VERSION="${PROJECT_VERSION}")
target_include_directories(host_code PRIVATE src include src/arch_${LEVITATE_ARCH})
target_link_libraries(host_code PRIVATE PkgConfig::UNWIND)
target_compile_definitions(core_flags INTERFACE LEVITATE_MEMTOOLS=1)

add_executable(levitate $<TARGET_OBJECTS:machine> $<TARGET_OBJECTS:host_code> ${core_objects})
target_link_libraries(levitate PRIVATE PkgConfig::UNWIND)
if(EXISTS ${CMAKE_SOURCE_DIR}/src/hostarch/sources.cmake)
	include(${CMAKE_SOURCE_DIR}/src/hostarch/sources.cmake)
endif()
include(cmake/package.cmake)
