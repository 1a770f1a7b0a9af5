seq 10 > a; cp a orig; cat > p <<'END'
--- a
+++ a
@@ -3,5 +3,5 @@
 3
 4
-5
+five
 6
 7
END
patch < p; cat a; patch -R < p; cmp a orig && echo back; patch -p0 --dry-run < p; cmp a orig && echo untouched; echo changed > a; patch < p; echo "status $?"; ls
