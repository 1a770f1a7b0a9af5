seq 20 > f; head f; head -n 3 f; head -c 5 f; head -n -15 f; head -3 f
head -n 1 f f; head -q -n 1 f f; head -v -n 1 f; head nosuch; echo "status $?"
yes | head -n 2; seq 100000 | head -c 20 | wc -c
