# timeout: 120
cmd="echo start"; i=0; while [ $i -lt 200 ]; do cmd="$cmd | sed s/\$/./"; i=$((i + 1)); done; eval "$cmd" | wc -c
cmd="seq 2000"; i=0; while [ $i -lt 199 ]; do cmd="$cmd | cat"; i=$((i + 1)); done; eval "$cmd" | md5sum
