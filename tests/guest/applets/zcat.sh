(seq 5 | gzip; seq 6 7 | gzip) > f.gz; zcat f.gz; zcat < f.gz | wc -l; zcat nosuch; echo "status $?"; seq 200000 | gzip | zcat | md5sum
