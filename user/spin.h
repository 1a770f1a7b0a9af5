/*
 * spin.h - vector registers over slices of time, for the tests of each architecture: processes and
 * threads that compute at the same time keep their own.
 *
 * Before it is included: struct vectors, fill(), same(), spin_with_vectors().
 */
#ifndef SPIN_H
#define SPIN_H

#include <pthread.h>
#include <sys/mman.h>

static int spin_child(void *arg)
{
	struct vectors in, out;
	int *stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	fill(&in, (int)(intptr_t)arg);
	pid_t pid = fork();
	if (pid == 0) {
		sleep_ms(200);
		*stop = 1;
		_exit(0);
	}
	spin_with_vectors(&in, &out, stop);
	reap(pid);
	return same(&in, &out) ? 0 : 1;
}

static void test_preemption(void)
{
	pid_t pids[6];
	int wrong = 0;

	for (int i = 0; i < 6; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(spin_child((void *)(intptr_t)(i + 50)));
	}
	for (int i = 0; i < 6; i++)
		wrong += reap(pids[i]) != 0;
	show("processes with changed vectors", wrong);
}

static volatile int thread_stop;

static void *spin_thread(void *arg)
{
	struct vectors in, out;

	fill(&in, (int)(intptr_t)arg);
	spin_with_vectors(&in, &out, &thread_stop);
	return (void *)(intptr_t)!same(&in, &out);
}

static void test_threads(void)
{
	pthread_t threads[6];
	long wrong = 0;

	for (int i = 0; i < 6; i++)
		if (pthread_create(&threads[i], NULL, spin_thread, (void *)(intptr_t)(i + 90)) != 0)
			give_up("pthread_create");
	sleep_ms(300);
	thread_stop = 1;
	for (int i = 0; i < 6; i++) {
		void *result;
		pthread_join(threads[i], &result);
		wrong += (long)(intptr_t)result;
	}
	show("threads with changed vectors", wrong);
}

#endif
