printf 'Levitate\000\001\n0123456789' > f
xxd f; xxd -p f; xxd -p f | xxd -r -p | cmp - f && echo same; xxd -l 4 f; xxd -s 3 -c 4 f; xxd -g 1 f; xxd nosuch; echo "status $?"
