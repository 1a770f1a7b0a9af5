# jobs: quiet
# two loops that never call the kernel and never end must share the CPU with a third
sh -c 'while :; do :; done' & a=$!; sh -c 'while :; do :; done' & b=$!; echo prompt; sleep 0.1; echo slept; kill $a $b; wait $a; echo $?; wait $b; echo $?; awk 'BEGIN { while (1) ; }' & p=$!; sleep 0.2; kill $p; wait $p; echo $?; timeout -s KILL 1 awk 'BEGIN { while (1) ; }'; echo $?
