: > a; : > b; rm a; ls
rm nosuch; echo "status $?"; rm -f nosuch; echo "status $?"
mkdir d; rm d; echo "status $?"; rm -r d; ls -d d; echo "status $?"
mkdir -p t/u/v/w; : > t/u/f; ln -s / t/u/root; rm -rf t; ls
: > ./-dash; rm -- -dash; ls
echo n | rm -i b 2>/dev/null; ls; echo y | rm -i b 2>/dev/null; ls
