# needs: run-parts
mkdir d; for i in 20two 10one; do printf '#!%s\necho ran %s $1\n' "$T/in/bin/sh" $i > d/$i; chmod 755 d/$i; done; : > d/noexec; run-parts --test d; run-parts d; run-parts -a arg d; printf '#!%s\nexit 3\n' "$T/in/bin/sh" > d/30bad; chmod 755 d/30bad; run-parts d; echo "status $?"; run-parts nosuch; echo "status $?"
