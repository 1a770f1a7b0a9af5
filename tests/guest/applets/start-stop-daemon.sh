# needs: start-stop-daemon
state() { case $(sed 's/.*) \(.\).*/\1/' /proc/$1/stat 2>/dev/null) in ''|Z) echo ended;; *) echo alive;; esac; }
D="$PWD"; start-stop-daemon -S -b -m -p "$D/pid" -x "$T/in/bin/busybox" -- sleep 60; echo "status $?"; usleep 300000; state $(cat pid)
start-stop-daemon -S -p "$D/pid" -x "$T/in/bin/busybox" -- sleep 60 | sed 's/[0-9][0-9]*/N/; s|/tmp.*/busybox|busybox|'
start-stop-daemon -K -p "$D/pid" | sed 's/[0-9][0-9]*/N/g'; usleep 300000; state $(cat pid)
