# needs: ts
# mask: ^... .. ..:..:.. => STAMP
seq 3 | ts; echo x | ts '%Y' | grep -c '^20[0-9][0-9] x$'
