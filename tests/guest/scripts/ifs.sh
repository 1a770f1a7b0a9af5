IFS=:; x=a:b::c; set -- $x; echo $#; for i in $x; do echo "<$i>"; done; IFS=' '; echo "$*"; IFS=-; set -- a b; echo "$*" "$@"; IFS=; x='a b'; set -- $x; echo $#; unset IFS; set -- $x; echo $#; IFS=,; printf '%s\n' "$*"; y='1,2, 3'; for i in $y; do echo "[$i]"; done; IFS='
'; for l in $(printf 'one two\nthree'); do echo "<$l>"; done
