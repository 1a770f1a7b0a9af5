x=value
cat <<END
plain $x `echo cmd` $(echo sub) $((2 + 3)) \$x
END
cat <<'END'
quoted $x `echo cmd` \$x
END
cat <<-END
	tabs	stripped
		all leading
	END
cat <<A; cat <<B
first
A
second
B
f() { cat <<END
in function $1
END
}
f one; f two
cat <<END | tr a-z A-Z
piped
END
while read -r a b; do echo "$b-$a"; done <<END
1 2
3 4
END
# larger than a pipe's buffer
{ echo "cat <<END"; seq 40000; echo END; } > big; sh big | md5sum
cat <<END
$(cat <<INNER
nested $x
INNER
)
END
cat <<END > f; cat f
to a file
END
