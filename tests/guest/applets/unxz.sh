# needs: unxz xzcat base64
base64 -d > f.xz <<'END'
/Td6WFoAAAFpIt42AgAhARYAAAB0L+Wj4AhRASZdACYZSsarox+RYMJERg2v+OVv+ev2IuDZeJcc
FlNzWu5dZXEf/elVRpmHwxYrh8a6vs391l7yO0T9GtngwV8nhLB7nbP7mReRrW2bbyzynUYyVRQ/
yTsK26NnCNM9sDIiuCRVsa6qilz9e8cBfhq984OHRT1af4NA7CIrSp7tsNpANd0KGQ9hMPxHZCv9
Lp5xxC4gvSoz1BTFV0NUqzFqKux92enggVIjq0wnzqQ4NmRI0Q6Wg5zqRY3e1sv3XAJKxX5KVFUB
UT1VN4sZSaylpiG7nCQgKz6SLIUezfx0mzSJhUBI//hUOgWLSVckdTsc+Xren+ae5DeuBMiiWoo2
2BWzrWcG95q2jw5f41yTuURa3Y4dgN6Ayo5i9VQy+EvnYVIC3oaV+AAAAKI0K+IAAb4C0hAAANon
Lgk+MA2LAgAAAAABWVo=
END
xzcat f.xz | head -n 2; xzcat f.xz | tail -n 2; unxz f.xz; ls; md5sum f
unxz nosuch.xz; echo "status $?"; head -c 5 f > short.xz; unxz short.xz; echo "status $?"
