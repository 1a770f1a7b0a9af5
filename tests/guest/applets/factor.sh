# needs: factor
factor 1 2 12 97 1001 4294967295 600851475143; echo 30 | factor; factor x; echo "status $?"
