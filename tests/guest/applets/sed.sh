seq 5 > f
sed -n 2p f; sed 2d f; sed 's/3/three/' f; sed -n '2,4p' f; sed '$!d' f; sed '/2/,/4/d' f; sed -e 1d -e 's/5/five/' f
sed 'y/12/ab/' f; sed '2i\
inserted' f; sed '2a appended' f; sed '2c changed' f; sed = f; sed -n '$=' f; sed 'N;s/\n/-/' f; sed -n 'H;${x;s/\n/,/g;p}' f
echo 'foo bar foo' | sed 's/foo/X/2'; echo 'foo bar' | sed -E 's/(\w+) (\w+)/\2 \1/'; echo aaa | sed 's/a/b/g'; echo path | sed 's|p|/|'
sed -i 's/^/line /' f; cat f; sed -n '/line 3/{s/line/LINE/;p}' f; sed 'w out' f > /dev/null; cmp f out && echo same
printf 'x\n' | sed ':a;s/^.\{1,9\}$/x&/;ta'; sed q f; sed -n '/3/q5' f; echo "status $?"; sed 's/unclosed' f; echo "status $?"
sed p nosuch; echo "status $?"; seq 1000 | sed -n '/00$/p' | tr '\n' ' '; echo
