parse() { OPTIND=1; while getopts 'ab:c' o "$@"; do case $o in a|c) echo "flag $o";; b) echo "b=$OPTARG";; '?') echo bad;; esac; done; shift $((OPTIND - 1)); echo "rest $*"; }
parse -a -b x y; parse -cab z; parse -b; parse -z q; parse -- -a; parse; while getopts ':ab:' o -b; do echo "$o $OPTARG"; done
