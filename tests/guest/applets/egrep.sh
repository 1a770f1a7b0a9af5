printf 'color\ncolour\ncoloor\n123\n' | egrep 'colou?r|[0-9]{3}'; echo ab | egrep -o 'a|b'; echo x | egrep '(a|b)+'; echo "status $?"
