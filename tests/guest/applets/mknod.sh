mknod p p; stat -c %F p; mknod p p; echo "status $?"; mknod q; echo "status $?"; (echo hi > p &); cat p; mknod -m 640 r p; stat -c %a r
