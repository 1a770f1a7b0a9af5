: > e; echo x > f; mkdir d; ln -s f l; ln -s gone g; mkfifo p; chmod 755 f
for t in '-e e' '-f f' '-d d' '-h l' '-L g' '-e g' '-s e' '-s f' '-p p' '-c /dev/null' '-b /dev/null' '-x f' '-x e' '-r f' '-w f' '-S f' '-t 0' '-u f' '-k f' '1 -eq 1' '1 -lt 2' 'a = b' 'a != b' '-z a' '-n a' '! -e e' '-e e -a -d d' '-e x -o -d d' 'f -ef l' '-O f' ''; do
    busybox test $t; echo "$t: $?"
done
busybox test 1 -eq x; echo "status $?"; busybox [ a = a ]; echo "status $?"; busybox [ a = a; echo "status $?"
