# needs: crc32
printf abc > f; crc32 f; seq 10000 | crc32; crc32 nosuch; echo "status $?"
