# jobs: quiet
s=$(date +%s); sleep 1; e=$(date +%s); [ $((e - s)) -ge 1 ] && [ $((e - s)) -le 30 ] && echo slept; sleep 0; echo $?; sleep 0.01; echo $?; sleep 0.1 0.1; echo $?; sleep nonsense; echo "status $?"; sleep 60 & kill $!; wait $!; echo $?
