printf 'ABC\000\001\377\n0123456789abcdef' > f
od f; od -c f; od -x f; od -A x -t x1 f; od -A n -t u1 f; od -t o2 f; od -j 4 -N 3 -t x1 f; od -b f; od -t a f
dd if=/dev/zero bs=64 count=1 2>/dev/null | od; dd if=/dev/zero bs=64 count=1 2>/dev/null | od -v
od nosuch; echo "status $?"; printf 12345678 | od -t d4 -t f8
