mine=$(id -g); : > f; chgrp $mine f; echo "status $?"; stat -c %g f | sed "s/^$mine\$/mine/"
chgrp nosuchgroup f; echo "status $?"; chgrp $mine nosuch; echo "status $?"
