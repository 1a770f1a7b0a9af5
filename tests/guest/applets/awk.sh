seq 10 | awk '{ s += $1 } END { print s, NR }'; awk 'BEGIN { printf "%05.2f|%-5s|%x|%c|%e\n", 3.14159, "ab", 255, 65, 12345.678 }'
printf 'a:1\nb:2\na:3\n' | awk -F: '{ t[$1] += $2 } END { for (k in t) print k, t[k] }' | sort
awk 'BEGIN { s = "hello world"; print length(s), substr(s, 3, 5), index(s, "o w"), toupper(s); n = split(s, p, " "); print n, p[2] }'
awk 'BEGIN { s = "aXbXc"; gsub(/X/, "-", s); print s; print match("foobar", /o+/), RSTART, RLENGTH }'
awk 'function f(n) { return n < 2 ? n : f(n-1) + f(n-2) } BEGIN { print f(18) }'
awk -v x=5 'BEGIN { while (x-- > 0) printf "%d ", x; print "" }'; echo 'a b c' | awk '{ $2 = "B"; print; print NF; NF = 2; print }'
awk 'BEGIN { "echo from command" | getline line; print line; close("echo from command"); print "sorted" | "sort"; print "also" | "sort"; close("sort"); print system("exit 3") }'
awk 'BEGIN { print ENVIRON["TERM"], ARGC, ARGV[1]; exit 4 }' arg; echo "status $?"; awk 'BEGIN { syntax error'; echo "status $?"
printf 'l1\nl2\n' > f; awk '{ print FILENAME, FNR, $0 > "out" }' f f; cat out; awk '/l1/,/l2/' f; awk 'BEGIN { while ((getline l < "f") > 0) print "got", l }'
awk 'BEGIN { print 2^10, 7 % 3, int(-3.7), 1/3; print "a" < "b", 10 < 9, "10" < "9" }'
awk 'BEGIN { delete a; a[1,2] = 3; for (k in a) { split(k, i, SUBSEP); print i[1], i[2] } ; if ((1,2) in a) print "in" ; print 1 == 1.0, "x" ~ /X/ }'
awk x nosuch; echo "status $?"; seq 30000 | awk '{ a[NR] = $1 } END { for (i = NR; i > NR - 3; i--) print a[i] }'
