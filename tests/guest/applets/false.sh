busybox false; echo $?; busybox false || echo or
