me=$(id -u) mine=$(id -g)
: > f; chown $me f; chown $me:$mine f; chown :$mine f; echo "status $?"
stat -c '%u %g' f | sed "s/^$me $mine\$/me mine/"
ln -s f l; chown -h $me l; mkdir -p d/e; chown -R $me d; echo "status $?"
chown nosuchuser f; echo "status $?"; chown $me nosuch; echo "status $?"
