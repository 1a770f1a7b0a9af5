printf 'Levitate\000\001\n0123456789' > f
hexdump f; hexdump -C f; hexdump -b f; hexdump -c f; hexdump -d f; hexdump -n 4 -s 2 -C f
hexdump -e '4/1 "%02x " "\n"' f; dd if=/dev/zero bs=48 count=1 2>/dev/null | hexdump -C; hexdump nosuch; echo "status $?"
