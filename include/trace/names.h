/* Names of signals and error numbers, for traces and reports. */
#ifndef TRACE_NAMES_H
#define TRACE_NAMES_H

/* "SIGINT", or NULL. */
const char *signal_name(int sig);
/* "ENOENT", or NULL. */
const char *errno_name(int error);
/* "No such file or directory", or NULL. */
const char *errno_text(int error);

#endif
