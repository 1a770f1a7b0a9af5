/* The memory history of a run (--record), for tools/memory-view: src/trace/record.c has the format. */
#ifndef TRACE_RECORD_H
#define TRACE_RECORD_H

#include "lib/types.h"

struct pt_ops;
struct task;

/* write receives pieces of the record. ops: the page-table format. */
void record_start(void (*write)(const char *text, size_t size_bytes), const struct pt_ops *ops);
/* A task has a number, a name and an address space, or others than before. */
void record_task(const struct task *task);

#endif
