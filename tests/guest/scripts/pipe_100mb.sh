# timeout: 120
dd if=/dev/zero bs=64k count=$((1600 / ${SLOW:-1})) 2>/dev/null | md5sum
yes 'some text to fill the pipe with' | head -c $((104857600 / ${SLOW:-1})) | cat | sha1sum
dd if=/dev/zero bs=100 count=$((100000 / ${SLOW:-1})) 2>/dev/null | wc -c
