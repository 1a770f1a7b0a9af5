# two loops that never call the kernel must share the CPU with a third
n=$((200000 / ${SLOW:-1})); export n
sh -c 'i=0; while [ $i -lt $n ]; do i=$((i + 1)); done; echo loop done' & a=$!; sh -c 'i=0; while [ $i -lt $n ]; do i=$((i + 1)); done; echo loop done' & b=$!; echo prompt; sleep 0.1; echo slept; wait $a $b; awk 'BEGIN { while (1) ; }' & p=$!; sleep 0.2; kill $p; wait $p; echo $?; timeout -s KILL 1 awk 'BEGIN { while (1) ; }'; echo $?
