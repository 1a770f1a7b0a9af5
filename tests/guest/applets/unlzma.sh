# needs: unlzma lzcat base64
base64 -d > f.lzma <<'END'
XQAAgAD//////////wAmGUrGq6MfkWDCREYNr/jlb/nr9iLg2XiXHBZTc1ruXWVxH/3pVUaZh8MW
K4fGur7N/dZe8jtE/RrZ4MFfJ4Swe52z+5kXka1tm28s8p1GMlUUP8k7CtujZwjTPbAyIrgkVbGu
qopc/XvHAX4avfODh0U9Wn+DQOwiK0qe7bDaQDXdChkPYTD8R2Qr/S6eccQuIL0qM9QUxVdDVKsx
airsfdnp4IFSI6tMJ86kODZkSNEOloOc6kWN3tbL91wCSsV+SlRVAVE9VTeLGUmspaYhu5wkICs+
kiyFHs38dJs0iYVASP/4VDoFi0lXJHU7HPl63p/mnuQ3rgTIolqKNtgVs61nBveato8OX+Nck7lE
Wt2OHYDegMqOYvVUMvhL52FSAuBzJ0v//0Mx4AA=
END
lzcat f.lzma | wc; unlzma < f.lzma | md5sum; unlzma f.lzma; ls; lzma -d f.lzma; echo "status $?"
