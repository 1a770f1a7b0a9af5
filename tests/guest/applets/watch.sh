# needs: watch
TERM=vt100 timeout 1 watch -n 1 -t echo seen | grep -c seen | sed 's/[1-9].*/some/'
