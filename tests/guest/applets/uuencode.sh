seq 20 > f; chmod 644 f; uuencode f name; uuencode -m f name | uudecode -o -; uuencode f out | uudecode; cmp f out && echo same; stat -c %a out
