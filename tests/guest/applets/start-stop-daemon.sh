# needs: start-stop-daemon
state() { case $(sed 's/.*) \(.\).*/\1/' /proc/$1/stat 2>/dev/null) in ''|Z) echo ended;; *) echo alive;; esac; }
D="$PWD"; start-stop-daemon -S -b -m -p "$D/pid" -x "$T/in/bin/busybox" -- sleep 60; echo "status $?"; until grep -q sleep /proc/$(cat pid)/cmdline; do usleep 10000; done; state $(cat pid)
start-stop-daemon -S -p "$D/pid" -x "$T/in/bin/busybox" -- sleep 60 | sed 's/[0-9][0-9]*/N/; s|/tmp.*/busybox|busybox|'
start-stop-daemon -K -p "$D/pid" | sed 's/[0-9][0-9]*/N/g'; until [ $(state $(cat pid)) = ended ]; do usleep 10000; done; state $(cat pid)
