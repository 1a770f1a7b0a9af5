printf 'one\ntwo' > a; printf 'three\n' > b
cat a b; cat - b < a
cat -n b b; cat -e a; echo
printf 'tab\there\001\n' | cat -v
printf 'tab\there\n' | cat -A
cat nosuch b; echo "status $?"
cat < /dev/null; echo "status $?"
seq 5000 | cat | cat | tail -n 1
