mkdir -p d/e; echo one > d/one; seq 300 > d/e/two; ln -s one d/link; touch -d '2005-05-05 05:05:05' d/one
find d | sort | cpio -o -H newc > a.cpio; cpio -t < a.cpio; mkdir x; (cd x; cpio -id < ../a.cpio); find x | sort; diff -r d x/d && echo same; readlink x/d/link
(cd x; cpio -i d/one < ../a.cpio; echo "status $?"; cpio -iu d/one < ../a.cpio; echo "status $?")
(cd x; cpio -i --to-stdout d/one < ../a.cpio; cpio -idmu < ../a.cpio 2>/dev/null; stat -c %Y d/one); echo junk | cpio -t; echo "status $?"
