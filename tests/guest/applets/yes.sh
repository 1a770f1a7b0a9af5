yes | head -n 3; yes a b | head -n 2; yes | head -c 100000 | md5sum; yes > /dev/full; echo "status $?"
