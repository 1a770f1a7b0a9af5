# needs: usleep
usleep 1000; echo $?; usleep; echo "status $?"
