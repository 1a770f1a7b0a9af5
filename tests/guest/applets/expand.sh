printf 'a\tb\n\tc\n' | expand; printf 'a\tb\n' | expand -t 4; printf '\tx\ty\n' | expand -i; expand nosuch; echo "status $?"
