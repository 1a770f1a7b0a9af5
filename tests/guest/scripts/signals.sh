# jobs: quiet
for s in HUP QUIT KILL USR1 USR2 PIPE ALRM TERM; do sh -c "kill -$s \$\$; echo survived" > /dev/null; echo "$s $?"; done
for s in CHLD CONT URG WINCH; do sh -c "kill -$s \$\$; echo survived $s"; done
sh -c 'kill -SEGV $$'; echo "SEGV $?"; sh -c 'kill -ABRT $$'; echo "ABRT $?"; sh -c 'ulimit -c 0; kill -FPE $$'; echo "FPE $?"
sh -c 'trap "echo caught" TERM; kill $$; kill $$; echo twice'; sh -c 'trap "" TERM; kill $$; echo immune'; sh -c 'trap "" TERM; sh -c "kill \$\$; echo child immune"'; sh -c 'trap "echo x" TERM; sh -c "kill \$\$; echo not reached"'; echo $?
i=0; trap 'i=$((i + 1))' USR1; for n in $(seq 50); do kill -USR1 $$; done; echo $i; kill -0 $$; echo $?; kill -0 99999999 2>/dev/null; echo $?; sleep 20 & p=$!; kill -STOP $p; kill -TERM $p; kill -CONT $p; wait $p; echo $?; (kill -9 $(sh -c 'echo $PPID')); echo $?
