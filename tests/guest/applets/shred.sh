# needs: shred
seq 100 > f; shred f; stat -c %s f; [ "$(md5sum < f)" = "$(seq 100 | md5sum)" ] || echo gone; shred -z f; tr -d '\0' < f | wc -c; shred -u f; ls; shred nosuch; echo "status $?"
