printf 'a\n\nb\n' > f; nl f; nl -b a f; nl -w 3 -s : f; nl -v 10 -i 5 f; nl nosuch; echo "status $?"
