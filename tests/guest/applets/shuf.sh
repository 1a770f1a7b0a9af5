seq 20 | shuf | sort -n | tr '\n' ' '; echo; shuf -i 1-10 | sort -n | tr '\n' ' '; echo; shuf -e a b c | sort; seq 100 | shuf -n 5 | wc -l; shuf nosuch; echo "status $?"
