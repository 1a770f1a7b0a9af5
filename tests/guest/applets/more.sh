seq 5 > f; more f; seq 3 | more; more nosuch; echo "status $?"
