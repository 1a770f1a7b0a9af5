# needs: linux64
linux64 sh -c 'echo ran; exit 3'; echo "status $?"; linux64 nosuchcommand; echo "status $?"
