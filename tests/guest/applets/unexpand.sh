printf '        a       b\n' | unexpand | od -c; printf '        a       b\n' | unexpand -a | od -c; printf '    x\n' | unexpand -t 4 | od -c
