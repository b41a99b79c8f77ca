/* Makes one call of a process go wrong: the process dies at it, or the call fails as on a broken or a full disk.
 *
 * Loaded by LD_PRELOAD; counted are writes to files and sockets and what makes files durable, over all threads. The file that
 * FAULTS names is shared with the test: how many calls there were, how many went wrong, and what it wants (see faults.rs).
 * No ptrace: containers forbid it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { KILL_BEFORE = 1, KILL_AFTER = 2, FAIL = 3 };

static struct {
	_Atomic long calls, hits;
	long mode, at, times, error;
} *plan;

__attribute__((constructor)) static void start(void)
{
	const char *name = getenv("FAULTS");
	int fd = name ? open(name, O_RDWR) : -1;
	void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		abort();
	plan = page;
	close(fd);
	unsetenv("LD_PRELOAD");
}

/* The number of a call that counts, else 0. A disk that fails does so for files alone. */
static long number(int fd)
{
	struct stat it;
	if (!plan || fd <= 2 || fstat(fd, &it) < 0)
		return 0;
	if (!S_ISREG(it.st_mode) && (plan->mode == FAIL || !S_ISSOCK(it.st_mode)))
		return 0;
	return atomic_fetch_add(&plan->calls, 1) + 1;
}

static int hits(long call, long mode)
{
	if (!plan || !call || plan->mode != mode || call < plan->at || call >= plan->at + plan->times)
		return 0;
	atomic_fetch_add(&plan->hits, 1);
	return 1;
}

#define CALL(type, name, parameters, arguments)                          \
	type name parameters                                             \
	{                                                                \
		static type(*next) parameters;                           \
		if (!next)                                               \
			next = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
		long call = number(fd);                                  \
		if (hits(call, KILL_BEFORE))                             \
			kill(getpid(), SIGKILL);                         \
		if (hits(call, FAIL)) {                                  \
			errno = (int)plan->error;                        \
			return -1;                                       \
		}                                                        \
		type result = next arguments;                            \
		if (hits(call, KILL_AFTER))                              \
			kill(getpid(), SIGKILL);                         \
		return result;                                           \
	}

CALL(ssize_t, write, (int fd, const void *from, size_t size), (fd, from, size))
CALL(ssize_t, writev, (int fd, const struct iovec *from, int count), (fd, from, count))
CALL(ssize_t, pwrite, (int fd, const void *from, size_t size, off_t at), (fd, from, size, at))
CALL(ssize_t, pwrite64, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at))
CALL(ssize_t, send, (int fd, const void *from, size_t size, int flags), (fd, from, size, flags))
CALL(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
CALL(int, fsync, (int fd), (fd))
CALL(int, fdatasync, (int fd), (fd))
CALL(int, ftruncate, (int fd, off_t size), (fd, size))
CALL(int, ftruncate64, (int fd, off64_t size), (fd, size))
