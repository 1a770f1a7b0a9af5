printf 'a:b:c\nd:e:f\nnone\n' > f
cut -d : -f 2 f; cut -d : -f 1,3 f; cut -d : -f 2- f; cut -c 1-3 f; cut -b 2 f; cut -s -d : -f 2 f
cut -c 3- f; printf 'x\ty\n' | cut -f 2; cut nosuch -c 1; echo "status $?"; cut -f; echo "status $?"
