tty; echo "status $?"; tty -s; echo "status $?"; tty < /dev/null; echo "status $?"
