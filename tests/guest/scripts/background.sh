# jobs: quiet
sleep 0.2 & a=$!; (exit 3) & b=$!; wait $b; echo $?; wait $a; echo $?; wait; echo $?; for i in 1 2 3 4 5; do (usleep ${i}0000; echo $i > f$i) & done; wait; cat f1 f2 f3 f4 f5
{ sleep 0.1; echo second; } & echo first; wait; (sleep 30 & echo $! > pid); kill $(cat pid); echo $?; sleep 30 & kill %1; wait %1; echo $?; wait 99999999; echo $?; sleep 30 & jobs | wc -l; kill $!
true & wait $!; echo $?; false & wait $!; echo $?; cat < /dev/null & wait; cat & wait; echo stdin null; for i in $(seq 50); do true & done; wait; echo many
