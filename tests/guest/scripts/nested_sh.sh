cmd='echo bottom'; sh -c "sh -c \"sh -c 'echo three deep'\""; n() { if [ $1 -eq 0 ]; then echo bottom $$ | sed 's/[0-9][0-9]*/PID/'; else sh n.sh $(($1 - 1)); fi; }; cat > n.sh <<'END'
[ $1 -eq 0 ] && { echo reached; exit 42; }
sh n.sh $(($1 - 1)); r=$?; [ $(($1 % 10)) -eq 0 ] && echo "level $1 status $r"; exit $r
END
sh n.sh 40; echo $?; sh -c 'sh -c "exit 3"; echo $?; exit 4'; echo $?; echo 'echo from stdin' | sh; echo 'read x; echo "x=$x"
data' | sh; sh <<'END'
echo here; cat <<IN
inner
IN
END
