# jobs: quiet
seq 20 > f; tail f; tail -n 3 f; tail -c 5 f; tail -n +18 f; tail -c +45 f; tail -1 f
tail -n 1 f f; tail -q -n 1 f f; seq 100000 | tail -n 2; tail nosuch; echo "status $?"
: > log; (tail -f log > seen & p=$!; sleep 0.3; echo line >> log; until grep -q line seen; do usleep 10000; done; kill $p); cat seen; echo done
