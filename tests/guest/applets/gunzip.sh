seq 3000 | gzip > f.gz; gunzip -k f.gz; tail -n 1 f; gunzip -c f.gz | md5sum; gunzip -f f.gz; ls; gunzip f; echo "status $?"
echo junk > j.gz; gunzip j.gz; echo "status $?"; seq 100 | gzip | head -c 50 > cut.gz; gunzip -c cut.gz > /dev/null; echo "status $?"; (echo a | gzip; echo b | gzip) | gunzip
