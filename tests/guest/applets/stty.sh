stty; echo "status $?"; stty -a < /dev/null; echo "status $?"; stty size; echo "status $?"
