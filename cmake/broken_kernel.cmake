# add_broken_kernel(TARGET SOURCE SED_ARGUMENT...): the hosted kernel with one file of the core changed by sed, for tests that
# must notice. A change that changes nothing fails the build.
function(add_broken_kernel target source)
	get_filename_component(name ${source} NAME)
	get_filename_component(folder ${source} DIRECTORY)
	string(REPLACE "." "\\." pattern "${source}")
	set(original ${CMAKE_SOURCE_DIR}/${source})
	set(broken ${CMAKE_CURRENT_BINARY_DIR}/${name})
	add_custom_command(OUTPUT ${broken}
		COMMAND sed ${ARGN} ${original} > ${broken}
		COMMAND sh -c "! cmp -s ${original} ${broken}"
		DEPENDS ${original} VERBATIM COMMENT "Breaking ${source} for ${target}")
	add_library(${target}-object OBJECT ${broken})
	target_link_libraries(${target}-object PRIVATE core_flags)
	target_include_directories(${target}-object PRIVATE ${CMAKE_SOURCE_DIR}/${folder})
	add_executable(${target} $<TARGET_OBJECTS:machine> $<TARGET_OBJECTS:host_code> $<TARGET_OBJECTS:stub_image>
		$<TARGET_OBJECTS:${target}-object> $<FILTER:${core_objects},EXCLUDE,/${pattern}\\.o$>)
	target_link_libraries(${target} PRIVATE PkgConfig::UNWIND m)
endfunction()
