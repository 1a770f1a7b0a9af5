# mask: [0-9]+\([^)]*\) => N
# mask: ^[0-9]+$ => N
id; id -u; id -g; [ "$(id -un)" = "$(whoami)" ] && echo agree; id nosuchuser; echo "status $?"; id -u root
