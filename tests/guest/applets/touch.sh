touch a b; ls; touch -c nosuch; ls
touch -d '1999-12-31 23:59:59' a; stat -c %Y a; date -u -r a
touch -r a b; stat -c %Y b; touch -t 200001020304.05 a; stat -c %Y a
touch d/x; echo "status $?"; touch -d 'nonsense' a; echo "status $?"
echo keep > k; touch k; cat k; [ k -nt a ] && echo newer; [ a -ot k ] && echo older
touch -h -d '2001-01-01 00:00:00' k; stat -c %Y k
