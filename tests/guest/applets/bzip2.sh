seq 3000 > f; bzip2 -c f > f.bz2; bzip2 -dc f.bz2 | cmp - f && echo same; bzip2 -1 < f | wc -c; bzip2 -k f 2>/dev/null; rm f; bunzip2 f.bz2; md5sum f; bzip2 f; ls
bzcat f.bz2 | tail -n 1; echo junk > j.bz2; bunzip2 j.bz2; echo "status $?"; bzip2 nosuch; echo "status $?"; : | bzip2 | wc -c
