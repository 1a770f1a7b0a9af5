# root passes every check of a file's own bits but execution, so expect both
am_root() { [ "$(id -u)" = 0 ]; }
printf '#!%s\necho ran\n' "$T/in/bin/sh" > s; ./s; echo $?; chmod 644 s; ./s; echo $?; chmod 755 s; ./s; [ -x s ]; echo $?; chmod 0 s; ./s; echo $?; if am_root; then echo denied; else cat s 2> /dev/null || echo denied; fi
mkdir d; : > d/f; chmod 0 d; if am_root; then echo denied; else ls d 2> /dev/null || echo denied; fi; chmod 755 d; chmod 4755 s; stat -c %a s; echo >> s; stat -c %a d; mkdir t; chmod 1777 t; : > t/x; rm t/x; ls t; chmod 2755 d; mkdir d/sub; stat -c %A d/sub | cut -c 7; cp s copy; stat -c %a copy; chmod 755 copy; ./copy; ls -l copy | cut -c 1-10
