# mask: [0-9]+m *[0-9.]+s => TIME
# mask: [0-9]+\.[0-9]+ => TIME
busybox time true; busybox time -p sh -c 'exit 4'; echo $?; busybox time nosuchcommand; echo $?; busybox time sleep 0.2 2>&1 | grep -c real
