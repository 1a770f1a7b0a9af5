mkdir -p t/sub; seq 1000 > t/numbers; echo hi > t/sub/hi; ln -s numbers t/link; ln t/numbers t/hard; chmod 750 t/sub; mkfifo t/fifo
touch -d '2005-05-05 05:05:05' t/numbers t/sub/hi t/sub t/fifo t
tar cf a.tar t; tar tf a.tar | sort; tar tvf a.tar | sed -n 's|t/hard|t/numbers|g; s|^\([-dlp][^ ]*\).* \(t/.*\)|\1 \2|p' | sort
mkdir x; tar xf a.tar -C x; find x | sort; cmp t/numbers x/t/numbers && echo same; readlink x/t/link; stat -c %h x/t/numbers; stat -c '%a %Y' x/t/sub/hi; stat -c %a x/t/sub
tar czf a.tgz t; tar tzf a.tgz | wc -l; tar cjf a.tbz t; tar tjf a.tbz | wc -l; tar xzf a.tgz -O t/sub/hi
tar cf - t | (mkdir y; cd y; tar xf -); diff -r t/sub y/t/sub && echo same;
tar xf a.tar t/sub/hi -C y; tar tf nosuch; echo "status $?"; echo junk > j; tar tf j; echo "status $?"; tar xvf a.tar -C x t/sub | sort
