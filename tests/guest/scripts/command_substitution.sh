x=deep; for i in $(seq 20); do x="\$(echo $x)"; done
deep() { if [ $1 -eq 0 ]; then echo bottom; else echo "$1 $(deep $(($1 - 1)))"; fi; }; deep 20
echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo $(echo twenty))))))))))))))))))))
x=$(false); echo $?; x=$(exit 7); echo $?; x=$(printf 'a\n\n\n'); echo "[$x]"; x=`echo back\`echo tick\``; echo $x; x=$(seq 30000); echo ${#x}; echo "$(echo "quoted $(echo "inner")")"
x=$(echo err >&2; echo out); echo $x; y=$(kill -TERM $$ & sleep 0 ; echo y) 2>/dev/null; echo never
