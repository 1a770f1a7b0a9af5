# mask: ^(x86_64|aarch64)$ => MACHINE
[ "$(arch)" = "$(uname -m)" ]; echo $?; arch
