# jobs: quiet
pidof lvnosuch; echo "status $?"; cp "$T/in/bin/busybox" busybox-lvpid; ./busybox-lvpid sleep 41 & p=$!; usleep 300000; [ "$(pidof busybox-lvpid)" = $p ]; echo $?; kill $p; wait $p; echo $?; pidof busybox-lvpid; echo "status $?"
