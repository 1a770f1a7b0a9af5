# needs: dc
echo '2 3 + p' | dc; dc -e '10 k 2 v p'; dc -e '2 100 ^ p'; dc -e '1 2 3 f'; dc -e '[hello] p'; echo '1 0 /' | dc; echo "status $?"
