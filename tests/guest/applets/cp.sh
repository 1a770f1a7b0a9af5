echo content > a; cp a b; cat b
mkdir d; cp a b d; ls d
cp -r d e; ls e; cp -a d f; ls f
ln -s a l; cp l copy1; [ -L copy1 ] || echo plain; cp -d l copy2; readlink copy2
chmod 640 a; touch -d '2001-02-03 04:05:06' a; cp -p a p; stat -c '%a %Y' p
cp a nosuchdir/x; echo "status $?"
cp nosuch x; echo "status $?"
cp d x; echo "status $?"
cp -l a hard; stat -c %h a; cp -s "$PWD/a" soft; readlink soft | sed "s|$PWD|PWD|"
echo new > a; cp -f a b; cat b; cp -n a p 2>/dev/null; cat p
cp a a; echo "status $?"
dd if=/dev/zero bs=1k count=300 2>/dev/null | tr '\0' x > large; cp large large2; cmp large large2 && echo same
