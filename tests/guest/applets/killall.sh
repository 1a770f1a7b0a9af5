# jobs: quiet
# mask: busybox[0-9]+ => busyboxPID
# the name holds the shell's pid: the host's /proc also shows the other runs of this case
n=busybox$$; killall -l | md5sum; killall lvnosuchname; echo "status $?"; killall -q lvnosuchname; echo "status $?"
cp "$T/in/bin/busybox" $n; ./$n sleep 50 & a=$!; ./$n sleep 50 & b=$!; until [ $(pidof $n | wc -w) = 2 ]; do usleep 10000; done
killall -0 $n; echo "status $?"; killall -TERM $n; echo "status $?"; wait $a; echo $?; wait $b; echo $?
killall $n; echo "status $?"
