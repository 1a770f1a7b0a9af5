seq 20000 | bzip2 > f.bz2; bunzip2 -c f.bz2 | md5sum; bunzip2 -k f.bz2; ls; bunzip2 f.bz2; echo "status $?"; head -c 100 f.bz2 | bunzip2 > /dev/null; echo "status $?"
