# needs: ar
echo one > a; echo two > b; printf '!<arch>\n' > x.a; for f in a b; do printf '%-16s%-12s%-6s%-6s%-8s%-10s`\n' $f/ 0 0 0 100644 4 >> x.a; cat $f >> x.a; done
ar t x.a; ar p x.a a; rm a b; ar x x.a; cat a b; ar t nosuch.a; echo "status $?"; echo junk > j.a; ar t j.a; echo "status $?"
