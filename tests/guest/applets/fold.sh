seq 30 | tr '\n' ' ' | fold -w 20; echo; echo 'the quick brown fox jumps' | fold -s -w 10; printf 'a\tb' | fold -b -w 2; echo; fold nosuch; echo "status $?"
