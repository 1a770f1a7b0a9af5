# needs: bc
echo '2 + 3 * 4' | bc; echo '2^200' | bc; echo 'scale=20; 1/3' | bc; echo 'define f(n) { if (n < 2) return 1; return n * f(n-1); } f(30)' | bc; echo 'ibase=16; FF' | bc; echo 'obase=2; 10' | bc; echo '1/0' | bc; echo "status $?"; echo 'scale=30; 4*a(1)' | bc -l; echo 'for (i=0; i<3; ++i) i' | bc
