expr 1 + 2; expr 7 / 2; expr 7 % 2; expr 2 '*' 3; expr 5 - 8; expr abc : 'a\(.\)c'; expr abc : 'ab'; expr length hello; expr substr hello 2 3; expr index hello l
expr 1 = 1; expr 1 = 2; echo "status $?"; expr a '<' b; expr 1 '&' 0; echo "status $?"; expr 0 '|' 5; expr 1 / 0; echo "status $?"; expr 1 +; echo "status $?"; expr \( 1 + 2 \) \* 3
