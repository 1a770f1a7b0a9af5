dirname /a/b/c; dirname a; dirname /; dirname a/b/; dirname //a; dirname; echo "status $?"
