echo 'Hello World' | tr a-z A-Z; echo hello | tr -d l; echo aabbcc | tr -s b; echo abc | tr -c a-b X
echo; echo 'a b' | tr '[:space:]' '_'; echo; echo abc123 | tr -d '[:digit:]'; echo abc | tr '[:lower:]' '[:upper:]'
printf '\001\377' | tr '\001\377' 'ab'; echo; echo aAbB | tr -cd '[:upper:]\n'; seq 1000 | tr '\n' , | md5sum
