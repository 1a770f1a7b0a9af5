who > /dev/null; echo "status $?"; who -H | head -n 1 | tr -s ' \t' ' '
