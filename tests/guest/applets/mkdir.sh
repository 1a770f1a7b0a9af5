mkdir a; mkdir a; echo "status $?"
mkdir b/c; echo "status $?"; mkdir -p b/c/d; ls -R b
mkdir -m 700 m; stat -c %a m; (umask 077; mkdir u); stat -c %a u
mkdir -m 1777 s; stat -c %a s
: > f; mkdir f/x; echo "status $?"; mkdir -p a b/c; echo "status $?"
