# metal: no line for a root in memory: busybox leaves out "rootfs", on Linux with an initramfs too
df > out; head -n 1 out; df -P . | awk 'NR == 2 { print NF, ($2 >= $3) }'; df -P / | tail -n 1 | awk '{ print $NF }'; df -P . | head -n 1; df nosuch; echo "status $?"
