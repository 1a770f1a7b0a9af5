printf 'a\r\nb\r\n' | dos2unix | od -c; printf 'a\r\n' > f; dos2unix f; od -c f; printf 'a\nb\n' | unix2dos | od -c; printf 'a\n' > g; unix2dos g; od -c g
