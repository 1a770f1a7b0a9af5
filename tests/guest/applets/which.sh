which sh | sed "s|$T|T|"; which nosuch; echo "status $?"; mkdir p; : > p/x; PATH=p which x; echo "status $?"; chmod 755 p/x; PATH=p which x; which -a sh sed | sed "s|$T|T|"
