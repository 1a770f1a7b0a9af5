# jobs: quiet
# exec leaves the shell's child to a program that never waits
sh -c 'sleep 0.2 & exec sleep 20' & p=$!; until ps -o stat,ppid | awk -v p=$p '$2 == p && /^Z/ { print "zombie" }' | grep zombie; do usleep 10000; done; kill $p; wait $p; echo $?; ps -o stat,ppid | awk -v p=$p '$2 == p'
sh -c 'sleep 0.2 & echo $! > pid; exec sleep 20' & p=$!; until [ -s pid ] && grep -q ' Z ' /proc/$(cat pid)/stat; do usleep 10000; done; z=$(cat pid); kill -0 $z; echo "signal to a zombie $?"; kill -9 $z; sed 's/.*) \(.\).*/\1/' /proc/$z/stat; tr '\0' x < /proc/$z/cmdline | wc -c; readlink /proc/$z/exe; echo $?; kill $p; wait $p; sleep 0.2
i=0; while [ $i -lt 100 ]; do true & i=$((i + 1)); done; sleep 0.3; wait; ps -o stat,ppid | awk -v p=$$ '$2 == p && /^Z/' | wc -l
