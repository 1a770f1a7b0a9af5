free > out; head -n 1 out; awk '/^Mem:/ { print NF, ($2 > 0), ($3 + $4 <= $2 * 2) }' out; awk '/^Swap:/ { print NF }' out; free -m | awk '/^Mem:/ { print ($2 > 0) }'
