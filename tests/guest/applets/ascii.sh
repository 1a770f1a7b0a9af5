# needs: ascii
ascii | md5sum
