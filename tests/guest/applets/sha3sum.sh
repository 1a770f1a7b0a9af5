printf abc | sha3sum; printf abc | sha3sum -a 256; seq 1000 | sha3sum -a 512
