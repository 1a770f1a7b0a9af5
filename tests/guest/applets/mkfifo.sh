mkfifo p; stat -c %F p; mkfifo p; echo "status $?"; mkfifo -m 600 q; stat -c %a q; (echo through > p &); cat p; seq 100000 > q & md5sum < q; wait; mkfifo nodir/p; echo "status $?"
