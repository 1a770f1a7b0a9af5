mkdir -p t/a/b/c t/d; : > t/a/f1; echo data > t/a/b/f2.txt; ln -s f1 t/a/link; : > t/d/.hid; mkfifo t/fifo
find t | sort; find t -type f | sort; find t -type d | sort; find t -type l; find t -type p; find t -name '*.txt'; find t -iname 'F*' | sort
find t -maxdepth 1 | sort; find t -mindepth 3 | sort; find t -empty | sort; find t -size +0 -type f; find t -name b -prune -o -type f -print | sort
find t -type f -exec echo got {} \; | sort; find t -type f -exec echo {} + | tr ' ' '\n' | sort; find t -path '*/b/*' | sort; find t ! -type d | sort
find t -type f -print0 | sort -z | tr '\0' '\n'; find t -depth | sort | head -n 2; find t -perm 644 -type f | sort; find t \( -name f1 -o -name .hid \) | sort
touch -d '2001-01-01' t/a/f1; find t -mtime +100; find t -newer t/a/f1 -type f | sort; find nosuch; echo "status $?"; find t -name c -exec rmdir {} +; find t -name c
find t -links 1 -type f | sort; find t -type f -quit; find -L t/a/link -type f; find t -inum 0
