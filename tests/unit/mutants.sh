#!/bin/sh
# Deliberately broken kernels that the memory tests must catch: each line below
# breaks one place of src/mm (a forgotten flush, a lost reference, a missing
# write-protect ...). A mutant that no test notices, and one whose place is not
# found any more, is a failure.
#
# Usage: mutants.sh SOURCE_DIR UNIT_BUILD_DIR ARCH CC [CFLAG...]
# UNIT_BUILD_DIR holds libunit_core.a, libunit_machine.a and the test programs' objects are built anew.
set -u
src=${1:?usage: mutants.sh SOURCE_DIR UNIT_BUILD_DIR ARCH CC [CFLAG...]} lib=$2 arch=$3 cc=$4
shift 4
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
includes="-I$work -I$src/include -I$src/src -I$src/src/arch_$arch"
core="-std=gnu17 -ffreestanding -fbuiltin -O1 -w -fno-strict-aliasing"
nr=0 survivors=0

# build_test NAME OBJECT...: links the test with the mutated objects before the library's own.
build_test() {
	name=$1
	shift
	[ -f "$work/$name.o" ] ||
		"$cc" -std=gnu17 -O1 -w -fno-strict-aliasing $flags -I"$src/tests/unit" $includes \
			-c "$src/tests/unit/$name.c" -o "$work/$name.o" || exit 1
	"$cc" $flags "$work/$name.o" "$@" -Wl,--start-group "$lib/libunit_core.a" "$lib/libunit_machine.a" \
		-Wl,--end-group -lcmocka -o "$work/$name" || exit 1
}

# mutant WHAT FILE SED_EXPRESSION TEST...: the tests that may catch it, most likely first.
mutant() {
	what=$1 file=$2 edit=$3
	shift 3
	nr=$((nr + 1))
	rm -rf "$work/mm"
	mkdir "$work/mm"
	sed -E "$edit" "$src/src/mm/$file" > "$work/mm/$file"
	if cmp -s "$work/mm/$file" "$src/src/mm/$file"; then
		echo "mutant $nr ($what): its place in $file is gone"
		survivors=$((survivors + 1))
		return
	fi
	case $file in
	pt.c | pt_*.h)
		[ -f "$work/mm/pt.c" ] || cp "$src/src/mm/pt.c" "$work/mm/pt.c"
		"$cc" $core $flags $includes -DPTE_CODEC_HEADER="\"arch_$arch/pte.h\"" -DPT_OPS="pt_ops_$arch" \
			-c "$work/mm/pt.c" -o "$work/mutant.o" || exit 1
		;;
	*) "$cc" $core $flags $includes -c "$work/mm/$file" -o "$work/mutant.o" || exit 1 ;;
	esac
	for test in "$@"; do
		build_test "$test" "$work/mutant.o"
		if ! (ulimit -c 0; LEVITATE_TEST_SEED=1 timeout 60 "$work/$test") > "$work/log" 2>&1; then
			echo "mutant $nr ($what): caught by $test"
			return
		fi
	done
	echo "mutant $nr ($what): NOT CAUGHT"
	survivors=$((survivors + 1))
}
flags="$*"

model=test_mm_model
mutant "fork leaves the parent's pages writable" pt_clone.h '/^\t\tslot_clear_write\(&s\[i\]\);/d' $model
mutant "fork leaves the parent's shared tables writable" pt_clone.h '/^\t\t\tslot_clear_write\(s\);/s/slot_clear_write\(s\)/(void)0/' $model
mutant "fork takes no reference of a shared page" pt_clone.h 's/^\t\tframe_get\(pte_pfn\(e\)\);//' $model
mutant "fork takes no reference of a shared table" pt_clone.h 's/^\t\tframe_get\(x\);//' $model
mutant "fork does not flush the parent" aspace.c '/arch_tlb_flush_range\(parent/d' $model
mutant "fork copies a page without its bytes" pt_clone.h '/memcpy\(pfn_to_ptr\(n\)/d' $model
mutant "fork shares pinned pages" aspace.c 's/\.has_pins = .*,/.has_pins = false,/' test_fork
mutant "fork forgets DONTFORK" aspace.c 's/v\.flags & VMA_DONTFORK/false/' test_fork
mutant "take-over of a table others use" pt.c 's/frame_refs\(pte_pfn\(e\)\) != 1\)/false)/' $model
mutant "take-over of a page others use" fault.c 's/f->is_shared_path \|\| frame_refs\(e\.pfn\) != 1/f->is_shared_path/' $model
mutant "an unshared table leaves its source writable" pt.c '/^\t\t\t\tslot_clear_write\(&s\[i\]\);/d' $model
mutant "an unshared table takes no references" pt.c 's/^\t\t\tframe_get\(pte_pfn\(e\)\);/;/' $model
mutant "copy-on-write does not flush" pt.c '/^\tpt_gather_flush\(g, va, va \+ PAGE_SIZE\);/d' $model
mutant "copy-on-write keeps the old page" pt.c '/^\tpt_gather_drop\(g, pte_pfn\(old\), 0\);/d' $model
mutant "frames are dropped before the flush" gather.c '/^\tfor \(unsigned i = 0; i < g->flush\.nr/,/^\t}/d' $model
mutant "munmap leaks" pt_range.h '/^\tpt_gather_drop\(g, x, level - 1\);/d' $model
mutant "munmap does not count" pt_range.h 's/frame_table_pages\(t\) - nr\)/frame_table_pages(t))/' $model
mutant "munmap changes a shared table" pt_range.h 's/^\t\tslot_own\(g, r, s, level - 1, va\);/;/' $model
mutant "mprotect leaves shared tables writable" pt_range.h '/^\t\tslot_clear_write\(s\);/d' $model test_fork
mutant "mprotect does not flush" pt_range.h '/pt_gather_flush\(p->gather/s/pt_gather_flush\(.*\)/(void)0/' $model
mutant "mprotect changes a shared table" pt_range.h 's/^\t\t\tslot_own\(p->gather.*\);/;/' $model
mutant "mremap does not flush" pt_range.h 's/^\t\tpt_gather_flush\(g, from \+ i \* PAGE_SIZE.*/;/' $model
mutant "mremap does not count" pt_range.h 's/path_add_pages\(pt, &src, 1, .*/;/' $model
mutant "the walk looks at the last level's write bit only" pt.c 's/\*writable = \*writable \&\& pte_is_writable\(e\);/;/' $model
mutant "fresh memory is not zeroed" fault.c '/memset\(pfn_to_ptr\(f->frame\[i\]\), 0/s/memset\(.*\)/(void)0/' $model test_aspace
mutant "pages are mapped with exec" fault.c 's/f->prot = vma_page_prot\(v\);/f->prot = prot_with(vma_page_prot(v), PROT_BIT_X);/' $model
mutant "truncate leaves pages mapped" truncate.c 's/loss->map->was_mapped \?/false ?/' test_aspace
mutant "shared writes are not marked dirty" fault.c 's/filemap_mark_dirty\(map.*/;/' test_aspace
mutant "a cached page is handed out without a reference" filemap.c '/^\tframe_get\(\*out\);/d' $model test_filemap
mutant "a failed change keeps its reserve" mmap.c '/^\t\tpt_reserve_release\(&reserve\);/d' $model test_mm_oom

echo "mutants: $nr, not caught: $survivors"
[ $survivors -eq 0 ]
