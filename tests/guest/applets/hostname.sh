[ -n "$(hostname)" ]; echo $?; [ "$(hostname)" = "$(uname -n)" ]; echo $?; [ "$(hostname)" = "$(cat /proc/sys/kernel/hostname)" ]; echo $?
