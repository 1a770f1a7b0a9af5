printf abc | sha512sum; seq 1000 > f; sha512sum f > s; cat s; sha512sum -c s; dd if=/dev/zero bs=1M count=4 2>/dev/null | sha512sum
