show() { for a; do printf '<%s>' "$a"; done; echo; }; x='a b'; show $x "$x" '$x' $x$x; show "" '' $e; show "a"'b'c; set -- 'p q' r; show $@; show "$@"; show "$*"; show x"$@"y; show $(printf 'one two\nthree'); show "$(printf 'one two\nthree')"; show $((1 + 1))' '2; show a\ b; show {a,b}; show ~+ | sed "s|$T||"; show *; show "${x% *}" ${x#* }; printf '%s\n' a\
b; show 'multi
line'; printf '\303\251\n' | od -c; show -e -n --; echo a	tab; show '' | cat -A
