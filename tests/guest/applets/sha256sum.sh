printf abc | sha256sum; seq 1000 > f; sha256sum f > s; cat s; sha256sum -c s; dd if=/dev/zero bs=1M count=4 2>/dev/null | sha256sum
