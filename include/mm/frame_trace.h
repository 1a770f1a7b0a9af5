/*
 * Who allocated a frame, and who freed it last: return addresses of both moments, kept for
 * every frame in debug builds (LEVITATE_DEBUG; 64 bytes a frame beside the metadata). In other
 * builds nothing is kept and there is nothing to print.
 */
#ifndef MM_FRAME_TRACE_H
#define MM_FRAME_TRACE_H

#include "lib/types.h"

#define FRAME_TRACE_DEPTH 8

enum frame_event { FRAME_ALLOCATED, FRAME_FREED };

/* Return addresses as distances from the kernel's own code; 0 ends a trace. */
struct frame_trace {
	int32_t caller[FRAME_FREED + 1][FRAME_TRACE_DEPTH];
};

#ifdef LEVITATE_DEBUG
#define FRAME_TRACE_BYTES sizeof(struct frame_trace)
/* Notes this call's back trace, without the callers of FRAME_TRACE_DEPTH calls, for nr frames. */
void frame_trace_note(pfn_t first, uint32_t nr, enum frame_event event);
/* The frames [first, first + nr), none of which was ever handed out, have no history. */
void frame_trace_clear(uint32_t first, uint32_t nr);
#else
#define FRAME_TRACE_BYTES 0u
static inline void frame_trace_note(pfn_t first, uint32_t nr, enum frame_event event)
{
	(void)first, (void)nr, (void)event;
}
static inline void frame_trace_clear(uint32_t first, uint32_t nr) { (void)first, (void)nr; }
#endif

/* Prints what is known about the frame, a line a call, each after `prefix`; nothing when nothing is. */
void frame_trace_print(pfn_t pfn, enum frame_event event, const char *prefix);

#endif
