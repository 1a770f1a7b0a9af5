printf hello > f; chmod 640 f; touch -d '2005-05-05 05:05:05' f; mkdir d; ln -s f l; mkfifo p
stat -c '%n %s %a %A %F %h %Y %y' f; stat -c '%n %F %A' d l p /dev/null; stat -L -c '%n %F %s' l
stat -c '%f' f d l p; stat -c '%t %T' /dev/null /dev/zero /dev/full
stat -c '%N' l; stat -c '%B' f; stat nosuch; echo "status $?"
ln f g; [ "$(stat -c %i f)" = "$(stat -c %i g)" ] && echo same inode
stat f | sed -n '1p; s/Blocks:.*/Blocks/p' | sed 's/[0-9]* *Blocks/Blocks/' | head -n 1
