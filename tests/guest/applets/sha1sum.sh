printf abc | sha1sum; seq 1000 > f; sha1sum f > s; cat s; sha1sum -c s; dd if=/dev/zero bs=1M count=4 2>/dev/null | sha1sum
