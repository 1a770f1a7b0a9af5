busybox echo a b; busybox echo -n x; busybox echo; busybox echo -e 'a\tb\n\0101\x41\c never'; busybox echo; busybox echo -E 'a\tb'; busybox echo -- -x; busybox echo > /dev/full; echo "status $?"
