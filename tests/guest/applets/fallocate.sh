# needs: fallocate
fallocate -l 100000 f; stat -c %s f; md5sum f; fallocate -l 100 f; stat -c %s f; fallocate -l 0 g; echo "status $?"; fallocate g; echo "status $?"
