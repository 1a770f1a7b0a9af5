seq 4 | tac; printf 'a\nb' | tac; echo; seq 20000 | tac | head -n 1; tac nosuch; echo "status $?"
