# mask: ^.* copied, .*\n => 
seq 2000 > f; dd if=f of=g bs=100 count=3; wc -c g; dd if=f bs=10 skip=2 count=1 2>/dev/null; echo; printf XYZ | dd of=g bs=1 seek=5 conv=notrunc; head -c 12 g | tr '\n' .; echo
dd if=/dev/zero of=z bs=1k count=64; wc -c z; dd if=/dev/zero of=sparse bs=1 count=1 seek=100000; wc -c sparse; seq 100000 | dd bs=512 2>/dev/null | md5sum; seq 100000 | dd ibs=100 obs=1000 2>/dev/null | md5sum
dd if=nosuch; echo "status $?"; dd if=f of=/dev/full bs=10 count=1; echo "status $?"; seq 9 | dd conv=swab 2>/dev/null | od -c; dd if=f of=h iflag=fullblock bs=1000 count=2; dd bs=nonsense; echo "status $?"; dd if=f of=t bs=50 count=2 conv=sync,fsync; wc -c t
