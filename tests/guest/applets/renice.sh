# jobs: quiet
# needs: renice
sleep 20 & p=$!; renice -n 5 -p $p; echo "status $?"; renice -n 3 -p $$; kill $p; renice -n 1 -p 99999999; echo "status $?"
