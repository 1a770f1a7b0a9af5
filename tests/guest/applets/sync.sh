sync; echo $?; : > f; sync f; echo $?
