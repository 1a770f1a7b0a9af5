seq 3; seq 2 4; seq 1 3 10; seq 5 -2 1; seq -w 8 11; seq -s , 4; seq 1.5 0.5 3; seq 3 1; seq x; echo "status $?"; seq 1 50000 | tail -n 1
