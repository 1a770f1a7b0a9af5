# jobs: quiet
ids() { read p c s pp pg sid r < /proc/self/stat; }; ids; mypg=$pg; mysid=$sid; sh -c 'read p c s pp pg sid r < /proc/self/stat; echo $pg $sid' | { read a b; [ $a = $mypg ] && [ $b = $mysid ] && echo inherited; }
setsid sh -c 'read p c s pp pg sid r < /proc/self/stat; [ $p = $pg ] && [ $p = $sid ] && echo new session'; setsid sh -c 'sleep 30 & sleep 30 & trap "" TERM; kill -TERM 0; wait; echo "group killed"'; setsid sh -c 'sleep 20 & kill -TERM -$$'; echo $?; setsid sh -c 'setsid sh -c "echo nested"; echo $?'; kill -TERM -99999999 2>/dev/null; echo $?
