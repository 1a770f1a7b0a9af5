# jobs: quiet
timeout 10 true; echo $?; timeout 10 sh -c 'exit 3'; echo $?; timeout 0.3 sleep 10; echo $?; timeout -s KILL 1 sleep 10; echo $?; timeout 1 sh -c 'trap "" TERM; sleep 2; exit 9'; echo $?; timeout -k 1 1 sh -c 'trap "" TERM; sleep 10'; echo $?; timeout 5 nosuchcommand; echo $?; timeout; echo "status $?"
