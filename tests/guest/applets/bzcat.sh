seq 100 | bzip2 > f.bz2; bzcat f.bz2 | tail -n 2; (seq 2 | bzip2; seq 3 4 | bzip2) | bzcat; bzcat nosuch; echo "status $?"
