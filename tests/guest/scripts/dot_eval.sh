echo 'y=sourced; echo "in dot $1"; f() { echo f; }; return 3; echo no' > inc; . ./inc; echo $? $y; f; (. ./nosuch; echo no); echo $?; eval 'echo a; echo b'; eval "x='a  b'"; echo "$x"; eval 'exit_not=1; false'; echo $?; eval eval eval echo deep; eval 'for i in 1 2; do
echo $i
done'; echo 'exit 9' > ex; (. ./ex; echo no); echo $?; alias ll='echo aliased'; eval 'll x'; unalias ll; ll 2>/dev/null; echo $?; command -v echo; command -v nosuch; echo $?; type cd | head -n 1; command echo via command; hash -r; echo $?
