# jobs: quiet
kill -l | md5sum; kill -l 9; kill -l TERM; sleep 20 & busybox kill $!; wait $!; echo $?; sleep 20 & busybox kill -9 $!; wait $!; echo $?; sleep 20 & until grep -q sleep /proc/$!/cmdline; do usleep 10000; done; busybox kill -s INT $!; busybox kill -HUP $!; wait $!; echo $?
busybox kill -0 $$; echo $?; busybox kill 99999999; echo "status $?"; busybox kill -NONSENSE $$; echo "status $?"; busybox kill; echo "status $?"; sleep 20 & busybox kill -STOP $!; busybox kill -CONT $!; busybox kill -TERM $!; wait $!; echo $?
