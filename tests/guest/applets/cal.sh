cal 2 2004; cal 9 1752; cal 2001 | head -n 5; cal 13 2001; echo "status $?"
