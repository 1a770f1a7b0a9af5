mkdir -p d/sub; : > d/file; : > d/.hidden; ln -s file d/link; ln -s gone d/dangling
chmod 755 d/file; mkfifo d/pipe
ls d; ls -a d; ls -A d; ls -1 d; ls -F d; ls -p d; ls -R d; ls -d d d/sub
ls -r d; ls -C d | cat
ls -l d | awk 'NR > 1 { print $1, $2, $9, $10, $11 }' | sed 's/^\(d[^ ]*\) [0-9]*/\1 N/'
ls -L d; ls d/file d/link
ls -n d/file | awk '{ print $1, $2, $5 }'
printf 12345 > big; printf 1 > small; ls -S big small; ls -Sr big small
touch -d '2001-02-03 04:05:06' old; touch -d '2020-02-03 04:05:06' new
ls -t old new; ls -tr old new; ls -l --full-time old | awk '{ print $6, $7 }'
ls nosuch; echo "status $?"
ls -i big | awk '{ print ($1 > 0), $2 }'
