echo abc | rev; printf 'one\ntwo' | rev; echo; seq 10 13 > f; rev f; rev nosuch; echo "status $?"
