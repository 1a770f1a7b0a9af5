mkdir -p a/b/c; rmdir a; echo "status $?"
rmdir -p a/b/c; ls
: > f; rmdir f; echo "status $?"; rmdir nosuch; echo "status $?"
mkdir d; cd d; rmdir ../d; ls; pwd | sed 's|.*/||'; : > x; echo "status $?"
