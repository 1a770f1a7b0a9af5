seq 3000 > f; gzip -c f > f.gz; gzip -dc f.gz | cmp - f && echo same; gzip f; ls; gunzip f.gz; ls; md5sum f
gzip -9 < f | gunzip | md5sum; gzip -k f; ls; gzip f; echo "status $?"; gzip -t f.gz; echo "status $?"; gzip -n -c < f | wc -c
gzip nosuch; echo "status $?"; echo x | gzip | gzip -d; : | gzip -n | hexdump -C | head -n 1 | cut -c 1-40
