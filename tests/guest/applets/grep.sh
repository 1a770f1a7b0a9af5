printf 'alpha\nbeta\ngamma\nALPHA\n' > f; printf 'beta\n' > g
grep a f; grep -i alpha f; grep -v a f; grep -c a f; grep -n a f; grep -l a f g; grep -L alpha f g; grep -o 'a.' f; grep -q a f; echo "status $?"
grep zzz f; echo "status $?"; grep a nosuch; echo "status $?"; grep -s a nosuch; echo "status $?"; grep -h beta f g; grep -H beta f
grep -w alpha f; grep -x beta f; grep -e alpha -e beta f; grep -A 1 beta f; grep -B 1 gamma f; grep -C 1 gamma f; grep -m 1 a f
grep '^a.*a$' f; grep '\(m\)\1' f; mkdir d; cp f d; grep -r gamma d; grep -f g f; grep '[' f; echo "status $?"
