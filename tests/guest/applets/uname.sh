# mask: ^(x86_64|aarch64)$ => MACHINE
uname; uname -s; uname -o; uname -m; for o in -r -v -n -a; do uname $o | grep -c .; done; [ "$(uname -n)" = "$(hostname)" ]; echo $?; set -- $(uname -a); echo $1; uname -x; echo "status $?"
