mkdir -p a/b; ln -s a/b l; cd l; busybox pwd | sed "s|$T||"; busybox pwd -P | sed "s|$T||"; busybox pwd -L | sed "s|$T||"; PWD=/wrong busybox pwd -L | sed "s|$T||"; cd ..; busybox pwd | sed "s|$T||"
