/* The timeline (--timeline): events in Chrome's and Perfetto's JSON format. Private to src/trace. */
#ifndef TRACE_TIMELINE_H
#define TRACE_TIMELINE_H

#include "lib/types.h"

struct task;

extern bool timeline_on;

void timeline_call_begin(const struct task *task, const char *name);
void timeline_call_end(const struct task *task, int64_t result);
void timeline_fault(const struct task *task, uint64_t addr, unsigned access, uint64_t start_ns);
void timeline_signal(const struct task *task, int sig);
void timeline_switch(const struct task *from, const struct task *to);
void timeline_fork(const struct task *parent, const struct task *child);
void timeline_name(const struct task *task);

#endif
