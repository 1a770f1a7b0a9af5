echo hi | tee a b; cat a b; echo more | tee -a a; cat a; seq 50000 | tee c | md5sum; md5sum < c; echo x | tee nosuch/f; echo "status $?"; echo y | tee /dev/full; echo "status $?"
yes | tee d | head -n 1
