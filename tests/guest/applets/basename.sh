basename /a/b/c.txt; basename /a/b/c.txt .txt; basename /; basename a/; basename ''; basename; echo "status $?"
