[ "$(arch)" = "$(uname -m)" ]; echo $?; arch
