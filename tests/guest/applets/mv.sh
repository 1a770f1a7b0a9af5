echo 1 > a; mv a b; ls; cat b
mkdir d; mv b d; ls d; mv d e; ls e
echo 2 > b; mv b e/b; cat e/b
mv nosuch x; echo "status $?"
mv e e/inside; echo "status $?"
mkdir empty full; echo x > full/f; mv -T empty full 2>/dev/null; echo "status $?"
echo old > o; echo new > n; mv -n n o; cat o; mv -f n o; cat o
mkdir src; for i in 1 2 3; do echo $i > src/$i; done; mv src/* .; ls; rmdir src
ln -s o link; mv link link2; readlink link2
