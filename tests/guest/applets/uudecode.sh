printf 'begin 644 dec\n#86)C\n`\nend\n' | uudecode; cat dec; echo; echo junk | uudecode; echo "status $?"
