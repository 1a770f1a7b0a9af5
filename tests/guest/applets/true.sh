busybox true; echo $?; busybox true arg --help; echo $?
