f() { echo "$# $1 $*"; return 3; }; f a b; echo $?; g() { local x=in; echo $x; h; }; h() { echo "h sees $x"; }; x=out; g; echo $x
fact() { if [ $1 -le 1 ]; then echo 1; else echo $(($1 * $(fact $(($1 - 1))))); fi; }; fact 10
count() { [ $1 -eq 0 ] && return; count $(($1 - 1)); }; count 500; echo deep; f() { echo redefined; }; f; unset -f f; f; echo $?
k() { set -- x y; echo $1; }; set -- a b; k; echo $1; r() (exit 5); r; echo $?; p() { cat; }; echo piped | p; type p | head -n 1; q() { echo to fd; } > file; q; cat file; sh -c 'f() { exit 9; }; f; echo no'; echo $?
