seq 3 > a; seq 4 7 > b; paste a b; paste -d , a b; paste -s a b; paste - - < b; paste -d '\n' a b | head -n 4; paste a nosuch; echo "status $?"
