echo x > a; ln a b; stat -c %h a; ln -s a s; readlink s; cat s
ln a b; echo "status $?"; ln -f a b; echo "status $?"
mkdir d; ln -s ../a d; cat d/a; ln -s nowhere n; cat n; echo "status $?"
ln -sf other n; readlink n; ln -sn x d/z; ln -sfn y d/z; readlink d/z
ln d hard; echo "status $?"
ln nosuch h; echo "status $?"
rm a; cat b; stat -c %h b
