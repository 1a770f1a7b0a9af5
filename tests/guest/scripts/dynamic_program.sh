# metal: no dynamic programs in the root: they are the host's own
# programs of the host itself, dynamically linked
PATH=/usr/local/bin:/usr/bin:/bin; export PATH
/bin/sh -c 'echo dash $0; exit 3' name; echo $?; /bin/ls -d /usr; /bin/echo hello | /bin/cat; /usr/bin/env X=1 /bin/sh -c 'echo $X'; /usr/bin/sort <<END | /usr/bin/tr a-z A-Z
b
a
END
/bin/cat /nosuch; echo $?; /usr/bin/head -c 5 /dev/zero | /usr/bin/od -c; (/bin/sleep 0.1; echo slept) & wait; /usr/bin/seq 3 | /usr/bin/paste -s -d +; /bin/sh -c 'for i in 1 2 3; do (exit $i) & wait $!; echo $?; done'; for l in /lib64/ld-linux-x86-64.so.2 /lib/ld-linux-aarch64.so.1; do [ ! -x $l ] || $l /bin/echo through the loader; done
