# jobs: quiet
# the name holds the shell's pid: the host's /proc also shows the other runs of this case
pidof lvnosuch; echo "status $?"; n=busybox$$; cp "$T/in/bin/busybox" $n; ./$n sleep 41 & p=$!
until [ "$(pidof $n)" = $p ]; do usleep 10000; done; echo found; kill $p; wait $p; echo $?; pidof $n; echo "status $?"
