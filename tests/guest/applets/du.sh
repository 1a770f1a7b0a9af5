mkdir -p d/e; dd if=/dev/zero of=d/f bs=1k count=64 2>/dev/null; dd if=/dev/zero of=d/e/g bs=1k count=32 2>/dev/null; ln d/f d/h
# how many blocks a file takes is the file system's own affair
du -k d/f | awk '{ print ($1 >= 0), $2 }'; du -a d | awk '{ print $2 }' | sort | sed 's/^d.[fh]$/f or h/'; du -s d | awk '{ print ($1 >= 0), $2 }'; du nosuch; echo "status $?"; du -sh d/f | awk '{ print $2 }'
du -d 1 d | awk '{ print $2 }' | sort; du -c d/e | awk '{ print $2 }'
