logname 2>&1 | sed 's/^.*$/LINE/'; logname extra; echo "status $?"
