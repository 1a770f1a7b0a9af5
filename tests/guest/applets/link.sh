# needs: link unlink
echo x > a; link a b; stat -c %h b; link a b; echo "status $?"; unlink a; ls; cat b; unlink a; echo "status $?"; mkdir d; unlink d; echo "status $?"
