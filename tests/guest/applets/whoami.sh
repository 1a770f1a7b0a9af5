[ "$(whoami)" = "$(id -un)" ]; echo $?; whoami extra; echo "status $?"
