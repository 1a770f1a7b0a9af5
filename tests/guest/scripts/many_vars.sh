i=0; while [ $i -lt 1000 ]; do export V$i="value $i"; i=$((i + 1)); done; env | grep -c '^V'; sh -c 'echo $V0 $V999'; env | sort | grep '^V5[0-3]='; unset V999; sh -c 'echo ${V999-unset}'; env -i "$T/in/bin/env" | wc -l; A=1 B=2 C=3 sh -c 'echo $A $B $C'; echo "[$A]"; export Q='line
break'; sh -c 'echo "$Q"'; cat /proc/self/environ | tr '\0' '\n' | grep -c '^V'
