# The names of an image's functions, as an assembler file that src/metal/symbols.c reads: the address of the
# first one, then for each the distance from the one before (ULEB128) and its name, NUL-terminated; an empty
# name ends the list.
#
#   cmake -DNM=nm -DOUTPUT=file.S [-DIMAGE=elf] -P symbols.cmake   writes it; without IMAGE an empty list
#   cmake -DNM=nm -DOUTPUT=file.S -DCHECK=elf -P symbols.cmake     fails when elf's functions are elsewhere
#
# The list lies in .rodata.symbols, after the code, so that its size moves no function.
set(first 0)
set(list "")
if(DEFINED CHECK)
	set(IMAGE ${CHECK})
endif()
if(DEFINED IMAGE)
	execute_process(COMMAND ${NM} --numeric-sort --defined-only ${IMAGE} OUTPUT_VARIABLE output
		COMMAND_ERROR_IS_FATAL ANY)
	string(REGEX MATCHALL "[0-9a-f]+ [tTwW] [A-Za-z_][^\n]*" lines "${output}")
	set(last "")
	foreach(line IN LISTS lines)
		string(REGEX MATCH "^([0-9a-f]+) . (.*)" ignored "${line}")
		set(address ${CMAKE_MATCH_1})
		if(address STREQUAL last)
			continue()
		endif()
		if(last STREQUAL "")
			set(first 0x${address})
			set(last ${address})
		endif()
		string(APPEND list "\t.uleb128 0x${address} - 0x${last}\n\t.asciz \"${CMAKE_MATCH_2}\"\n")
		set(last ${address})
	endforeach()
endif()
set(text "\t.section .rodata.symbols, \"a\"\n\t.balign 8\n\t.globl metal_symbols\nmetal_symbols:\n"
	"\t.quad ${first}\n${list}\t.uleb128 0\n\t.asciz \"\"\n\t.section .note.GNU-stack, \"\", %progbits\n")
string(CONCAT text ${text})
if(DEFINED CHECK)
	file(READ ${OUTPUT} written)
	if(NOT written STREQUAL text)
		message(FATAL_ERROR "${CHECK}: functions moved when their names were added: .rodata.symbols must come after the code")
	endif()
else()
	file(WRITE ${OUTPUT} "${text}")
endif()
