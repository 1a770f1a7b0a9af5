# jobs: quiet
trap 'echo exit trap $?' EXIT
trap 'echo got USR1' USR1; kill -USR1 $$; echo after
trap 'echo got TERM; exit 5' TERM; (trap - TERM; kill -TERM $(sh -c 'echo $PPID')); echo "sub $?"
trap '' INT; kill -INT $$; echo ignored; sh -c 'kill -INT $$; echo child ignores too'
trap - USR1; sh -c 'kill -USR1 $$'; echo "status $?"
sh -c 'trap "echo child exit" EXIT; exit 3'; echo "status $?"
sh -c 'trap "echo child hup" HUP; kill -HUP $$; echo on'; trap
sh -c 'trap "echo a; trap - USR2; kill -USR2 \$\$" USR2; kill -USR2 $$; echo never'; echo "status $?"
(trap 'echo sub exit' EXIT; true); sleep 5 & p=$!; trap 'echo usr2; kill $p' USR2; (usleep 200000; kill -USR2 $$) & wait $p; echo "wait $?"; wait $p; echo "wait $?"
kill -TERM $$; echo never
