# needs: mkpasswd
mkpasswd -m md5 -S saltsalt password; mkpasswd -m sha256 -S saltsalt password; mkpasswd -m sha512 -S saltsalt password; mkpasswd -m des -S ab password
