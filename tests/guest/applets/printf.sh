busybox printf '%d %5d|%-5d|%05d %i\n' 1 2 3 4 5; busybox printf '%s|%10s|%-10s|%.2s\n' a b c defg; busybox printf '%x %X %o %#x %u\n' 255 255 8 255 7
busybox printf '%c%c\n' ab cd; busybox printf '%b\n' 'a\tb\n\0101'; busybox printf 'a\tb\\\x41\101\n'; busybox printf '%s\n' 1 2 3; busybox printf '%5.2f %e %g\n' 3.14159 1234.5 0.0001; busybox printf '%%\n'
busybox printf '%d\n' 0x10 010 "'A"; busybox printf '%d\n' junk; echo "status $?"; busybox printf '%*d\n' 5 3; busybox printf '%q\n' x; echo "status $?"
