: > f; for m in 000 644 755 4755 2755 1777 7777; do chmod $m f; stat -c '%a %A' f; done
chmod u=rw,g=r,o= f; stat -c %a f; chmod a+x f; stat -c %a f; chmod -w f; stat -c %a f
chmod g+s,u+s f; stat -c %a f; chmod +t f; stat -c %a f; chmod u-s,o+w f; stat -c %a f
mkdir -p d/e; : > d/e/f; chmod -R 700 d; stat -c %a d d/e d/e/f
chmod nonsense f; echo "status $?"; chmod 644 nosuch; echo "status $?"
ln -s f l; chmod 600 l; stat -c %a f
