seq 5 | xargs; seq 5 | xargs -n 2; seq 3 | xargs -I{} echo 'item {}'; printf 'a b\0c\0' | xargs -0 -n 1 echo; echo | xargs -r echo no; echo | xargs echo yes
printf 'a "b c" d\\ e\n' | xargs -n 1; seq 3 | xargs -t echo; seq 3 | xargs false; echo "status $?"; echo x | xargs nosuchcommand; echo "status $?"
seq 3 | xargs sh -c 'exit 255'; echo "status $?"; seq 20000 | xargs | wc -c; seq 20000 | xargs -s 1000 | wc -l; seq 4 | xargs -P 2 -n 1 echo | sort; printf '1,2,3' | xargs -n1 -d, 2>/dev/null; seq 9 | xargs -E 4
echo kill | xargs sh -c 'kill -TERM $$'; echo "status $?"; seq 3 > f; xargs -a f echo
