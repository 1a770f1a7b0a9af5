hostid | grep -c '^[0-9a-f]*$'
