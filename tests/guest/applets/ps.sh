# the list of processes differs; what it says of our own must not
sleep 31.25 & p=$!; until grep -q sleep /proc/$p/cmdline; do usleep 10000; done
ps | head -n 1; ps | awk -v p=$p '$1 == p { sub(/^ *[0-9]+ +[^ ]+ +/, ""); print }'; ps | awk -v p=$$ '$1 == p { print "self" }'
ps -o pid,ppid,comm | awk -v p=$p -v s=$$ '$1 == p { print ($2 == s), $3 }'; ps -o ppid,args | grep -c "^ *$$ .*[s]leep 31.25"
ps -o stat,pid | awk -v p=$p '$2 == p { print substr($1, 1, 1) }'; ps -o nonsense; echo "status $?"; kill $p; wait $p 2>/dev/null; ps -o pid | grep -cx " *$p"
