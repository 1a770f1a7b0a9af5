# needs: uncompress base64
echo 'H52QY960gSOnzJw5ZciAEJMHBBMtV3SACCNmTBgxY8KIGQMijJgxYcSMCSNmDIgwYsaEETMmjJgx
IMKIGRNGzJgwYsaACCNmTBgxY8KIGQMijJgxYcSMCSNmDIgwYsaEETMmjJgxIMKIGRNGzJgwYsaA
CCNmTBgxY8KIGQMijJgxYcSMCSNmDAg=' | tr -d '\n' | base64 -d > f.Z
uncompress -c f.Z; echo; uncompress f.Z; ls; cat f; echo; echo junk > j.Z; uncompress j.Z; echo "status $?"
