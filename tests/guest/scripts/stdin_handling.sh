# stdin: line one\nline two\nline three\nline four\n
read a; echo "read $a"; (read b; echo "sub $b"); sh -c 'read c; echo "child $c"'; cat; read d; echo "eof $?"; cat | wc -c; echo piped | (read x; echo $x); sh -c 'cat' < /dev/null; exec < /dev/null; read y; echo $?
