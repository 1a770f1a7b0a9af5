# needs: taskset
all=$(taskset -p $$ | sed 's/.*: //')
taskset $all sh -c 'echo ran'; taskset -p $$ | sed 's/[0-9][0-9]*/N/; s/: .*/: M/'; taskset $all sh -c 'exit 5'; echo "status $?"; taskset $all nosuchcommand; echo "status $?"; taskset 0 true; echo "status $?"; taskset -p 99999999; echo "status $?"
