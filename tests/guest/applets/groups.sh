# mask: ^\S[^\n]*$ => LINE
groups
