printf '10 b\n9 a\n100 c\n9 A\n' > f
sort f; sort -n f; sort -r f; sort -nr f; sort -k 2 f; sort -k2,2r -k1,1n f; sort -u -k1,1n f
sort -f -k 2 f; printf '1.5\n1.25\n-3\n1e2\n' | sort -g;
printf 'b:2\na:10\n' | sort -t : -k 2 -n; sort -c f; echo "status $?"; sort f -o f; cat f; sort -c f; echo "status $?"
seq 20000 | sort -r | md5sum; printf 'z\0a\0' | sort -z | tr '\0' '\n'; sort nosuch; echo "status $?"
printf 'Feb\nJan\nDec\n' | sort -M; sort -s -k2,2 f; sort /dev/null
