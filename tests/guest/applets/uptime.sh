uptime | grep -c 'load average: [0-9.]*, [0-9.]*, [0-9.]*$'; awk '{ print NF, ($1 >= 0) }' /proc/uptime
