# mask: (tmp|f)\.[A-Za-z0-9]{6} => \1.XXXXXX
f=$(mktemp); [ -f "$f" ] && stat -c '%a %s' "$f"; echo "$f"; rm "$f"; d=$(mktemp -d -p .); stat -c %a "$d"; echo $d; mktemp f.XXXXXX; mktemp -u f.XXXXXX; ls | wc -l; mktemp nox; echo "status $?"; mktemp nodir/f.XXXXXX; echo "status $?"
