printf 'one two\nthree\n' > f; wc f; wc -l f; wc -w f; wc -c f; wc -m f; wc -L f; wc f f; wc < f
wc nosuch; echo "status $?"; seq 100000 | wc; printf 'no newline' | wc -l; wc /dev/null
