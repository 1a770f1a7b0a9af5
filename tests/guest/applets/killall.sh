# jobs: quiet
killall -l | md5sum; killall lvnosuchname; echo "status $?"; killall -q lvnosuchname; echo "status $?"
cp "$T/in/bin/busybox" busybox-lvnap; ./busybox-lvnap sleep 50 & a=$!; ./busybox-lvnap sleep 50 & b=$!; usleep 300000
killall -0 busybox-lvnap; echo "status $?"; killall -TERM busybox-lvnap; echo "status $?"; wait $a; echo $?; wait $b; echo $?
killall busybox-lvnap; echo "status $?"
