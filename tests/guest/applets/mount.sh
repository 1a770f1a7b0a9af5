mount > out; echo "status $?"; grep -c ' on / type ' out | sed 's/[1-9].*/root is there/'; grep -c ' on /proc type proc ' out; awk '{ if ($2 != "on" || $4 != "type") print "odd line:", $0 }' out
