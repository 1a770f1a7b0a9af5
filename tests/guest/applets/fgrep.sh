printf 'a.b\naxb\n*\n' > f; fgrep a.b f; fgrep '*' f; fgrep -x a f; echo "status $?"; fgrep -c . f
