printf 'a\na\nb\nB\nc\nc\nc\na\n' > f
uniq f; uniq -c f; uniq -d f; uniq -u f; uniq -i f; uniq -f 1 f; uniq -s 1 f; uniq -w 1 f
uniq f out; cat out; uniq nosuch; echo "status $?"; printf '1 x\n2 x\n' | uniq -f 1
