# timeout: 120
mb=$((64 / ${SLOW:-1})); half=$((mb * 524288)); last=$((1000000 / ${SLOW:-1}))
dd if=/dev/zero bs=1M count=$mb 2>/dev/null | tr '\0' 'A' > big; stat -c %s big; md5sum big; printf XYZ | dd of=big bs=1 seek=$half conv=notrunc 2>/dev/null; dd if=big bs=1 skip=$((half - 2)) count=7 2>/dev/null; echo; md5sum big; cp big copy; cmp big copy && echo same; truncate -s 1000000 big; md5sum big; tail -c 5 copy; echo; seq $last > lines; sed -n "$((last - 1))p" lines; tail -n 1 lines; wc lines; sort -n -r lines | head -n 1; rm big copy lines; ls
