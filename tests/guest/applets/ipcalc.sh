# needs: ipcalc
ipcalc -n -m -b -p 192.168.1.10/24; ipcalc -s 10.0.0.1 255.0.0.0 -b; ipcalc 300.1.1.1; echo "status $?"
