x=1; (x=2; echo $x); echo $x; (exit 4); echo $?; (cd /; pwd); pwd | sed "s|$T||"; ( (echo deep; exit 3); echo $?; exit 2); echo $?
{ x=3; echo grouped; }; echo $x; (echo out; echo err >&2) 2>&1 | sort; y=$(x=9; echo $x); echo $x $y; (set -e; false; echo no); echo $?; (return 2>/dev/null; echo r); (umask 077; : > f); stat -c %a f; umask
(((1))) 2>/dev/null; echo $?; a=$( (echo one); (echo two) ); echo "$a"; echo $(echo $(echo $(echo nested)))
