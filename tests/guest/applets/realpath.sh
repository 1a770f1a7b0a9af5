mkdir -p a/b; ln -s a/b l; : > a/b/f
realpath l/f a/../a/b . | sed "s|$PWD|PWD|"
realpath nosuch/deep; echo "status $?"; realpath /proc/../dev/./null
ln -s x x; realpath x; echo "status $?"
