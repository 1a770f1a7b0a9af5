ln -s target l; readlink l; readlink nosuch; echo "status $?"
: > plain; readlink plain; echo "status $?"
mkdir -p d/e; ln -s d/e de; readlink -f de/x | sed "s|$PWD|PWD|"
readlink -n l; echo .
ln -s loop2 loop1; ln -s loop1 loop2; readlink loop1; readlink -f loop1; echo "status $?"
