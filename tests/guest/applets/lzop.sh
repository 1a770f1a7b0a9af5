# needs: lzop
seq 3000 > f; lzop -c f | lzop -dc | cmp - f && echo same; lzop f; ls; lzop -d -f f.lzo; md5sum f; lzop -t f.lzo; echo "status $?"; echo junk > j.lzo; lzop -d j.lzo; echo "status $?"
