seq 5 > f; less f; seq 3 | less; less nosuch; echo "status $?"; less -N f | wc -l
