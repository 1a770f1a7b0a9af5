/*
 * t_exec.c - execve: argv, envp and auxv as the new program finds them, what it
 * inherits and what it loses, `#!` scripts, and every error.
 */
#define _GNU_SOURCE
#include "check.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

extern char **environ;
static char *self;

/* --- what the executed copies of this program do --- */

static int show_arguments(int argc, char **argv)
{
	say("argc %d:", argc);
	for (int i = 2; i < argc; i++)
		say(" <%s>", argv[i]);
	say("\nenvironment:");
	for (char **e = environ; *e != NULL; e++)
		say(" <%s>", *e);
	say("\n");
	show_true("argv ends with NULL", argv[argc] == NULL);
	return argc;
}

static int show_auxv(char **argv)
{
	unsigned char *random = (unsigned char *)(uintptr_t)getauxval(AT_RANDOM);
	int sum = 0;

	for (int i = 0; random != NULL && i < 16; i++)
		sum |= random[i];
	show_true("AT_RANDOM", sum != 0);
	show("AT_PAGESZ", (long)getauxval(AT_PAGESZ));
	show_true("AT_PHDR", getauxval(AT_PHDR) != 0);
	show("AT_PHENT", (long)getauxval(AT_PHENT));
	show_true("AT_PHNUM", getauxval(AT_PHNUM) > 0);
	show_true("AT_ENTRY", getauxval(AT_ENTRY) != 0);
	show("AT_SECURE", (long)getauxval(AT_SECURE));
	show_true("AT_UID", getauxval(AT_UID) == getuid());
	show_true("AT_EGID", getauxval(AT_EGID) == getegid());
	show("AT_CLKTCK", (long)getauxval(AT_CLKTCK));
	const char *name = (const char *)(uintptr_t)getauxval(AT_EXECFN);
	say("AT_EXECFN: %s\n", name ? strrchr(name, '/') ? strrchr(name, '/') + 1 : name : "absent");
	show_true("stack pointer is aligned at entry", ((uintptr_t)argv - 8) % 16 == 0);
	show_true("strings lie above argv", argv[0] > (char *)argv);
	return 0;
}

static volatile sig_atomic_t caught;

static void catch_signal(int number) { caught = number; }

static int show_inherited(void)
{
	sigset_t set;
	struct sigaction action;
	struct itimerval timer;
	stack_t alternate;

	show("descriptor 20", fcntl(20, F_GETFD));
	show("descriptor 21, close on exec", fcntl(21, F_GETFD));
	show("descriptor 20's offset", lseek(20, 0, SEEK_CUR));
	sigaction(SIGUSR1, NULL, &action);
	show_true("handler is reset", action.sa_handler == SIG_DFL);
	sigaction(SIGUSR2, NULL, &action);
	show_true("ignored stays ignored", action.sa_handler == SIG_IGN);
	sigprocmask(SIG_BLOCK, NULL, &set);
	show("SIGHUP stays blocked", sigismember(&set, SIGHUP));
	sigpending(&set);
	show("SIGHUP stays pending", sigismember(&set, SIGHUP));
	getitimer(ITIMER_REAL, &timer);
	show_true("timer runs on", timer.it_value.tv_sec > 0);
	sigaltstack(NULL, &alternate);
	show("alternate stack is gone", alternate.ss_flags == SS_DISABLE);
	say("umask %03o\n", umask(0));
	char path[256];
	say("directory %s\n", getcwd(path, sizeof path) ? strrchr(path, '/') : "unknown");
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	path[n > 0 ? n : 0] = 0;
	say("/proc/self/exe %s\n", n > 0 ? strrchr(path, '/') + 1 : errno_name(errno));
	char name[17] = "";
	int fd = open("/proc/self/comm", O_RDONLY);
	n = read(fd, name, 16);
	say("comm %.*s", (int)(n > 0 ? n : 0), name);
	return 0;
}

/* --- the tests --- */

static void run(const char *what, const char *path, char *const argv[], char *const envp[])
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(20);
		execve(path, argv, envp);
		say("%s: %s\n", what, errno_name(errno));
		_exit(255);
	}
	show_status(what, reap(pid));
}

static void test_arguments(void)
{
	char *envp[] = {"A=1", "EMPTY=", "NOEQUALS", "B=two words", NULL};
	char *plain[] = {"name", "args", "one", "", "three 3", NULL};
	char *none[] = {NULL};

	run("arguments", self, plain, envp);
	run("no environment", self, plain, none);
	run("NULL environment", self, plain, NULL);
	run("auxiliary vector", self, (char *[]){"x", "auxv", NULL}, none);
	run("auxiliary vector, other alignment", self, (char *[]){"x", "auxv", "1", NULL}, envp);
	run("empty argv", self, none, envp);
	run("NULL argv", self, NULL, envp);

	char **many = calloc(20002, sizeof *many);
	many[0] = "x";
	many[1] = "count";
	for (int i = 2; i < 20001; i++)
		many[i] = "argument";
	run("20001 arguments", self, many, none);
	free(many);
	char *big = malloc(131073);
	memset(big, 'b', 131072);
	big[131071] = 0;
	run("a 128 KiB argument, the longest", self, (char *[]){"x", "length", big, NULL}, none);
	big[131071] = 'b';
	big[131072] = 0;
	run("one byte longer", self, (char *[]){"x", "length", big, NULL}, none);
	free(big);
}

static void write_file(const char *name, const void *data, size_t len, mode_t mode)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len || fchmod(fd, mode) != 0)
		give_up(name);
	close(fd);
}

/*
 * A file that Linux may refuse before or after the point of no return, with
 * errors that changed over its versions: show only that it does not run.
 */
static void run_wild(const char *what, const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(path, path, (char *)NULL);
		_exit(255);
	}
	int status = reap(pid);
	if (WIFSIGNALED(status) || WEXITSTATUS(status) == 255)
		say("%s: does not run\n", what);
	else
		show_status(what, status);
}

/* Run an ELF header variation: `change` edits the first bytes of a good file. */
static void try_elf(const char *what, void (*change)(Elf64_Ehdr *, Elf64_Phdr *), size_t len)
{
	static unsigned char image[0x1000];
	Elf64_Ehdr *header = (void *)image;
	Elf64_Phdr *segment = (void *)(image + sizeof *header);

	memset(image, 0, sizeof image);
	memcpy(header->e_ident, ELFMAG "\2\1\1", 7);
	header->e_type = ET_EXEC;
#if defined(__x86_64__)
	header->e_machine = EM_X86_64;
	static const unsigned char code[] = {0xbf, 9, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 5};
#else
	header->e_machine = EM_AARCH64;
	static const unsigned char code[] = {0x20, 1, 0x80, 0xd2, 0xc8, 0xb, 0x80, 0xd2, 1, 0, 0, 0xd4};
#endif
	header->e_version = EV_CURRENT;
	header->e_entry = 0x400200;
	header->e_phoff = sizeof *header;
	header->e_ehsize = sizeof *header;
	header->e_phentsize = sizeof *segment;
	header->e_phnum = 1;
	*segment = (Elf64_Phdr){.p_type = PT_LOAD,
				.p_flags = PF_R | PF_X,
				.p_vaddr = 0x400000,
				.p_paddr = 0x400000,
				.p_filesz = sizeof image,
				.p_memsz = sizeof image,
				.p_align = 0x1000};
	memcpy(image + 0x200, code, sizeof code);
	if (change != NULL)
		change(header, segment);
	write_file("elf", image, len, 0700);
	if (strncmp(what, "wild: ", 6) == 0)
		run_wild(what, "./elf");
	else
		run(what, "./elf", (char *[]){"elf", NULL}, NULL);
}

static void other_machine(Elf64_Ehdr *h, Elf64_Phdr *p)
{
	(void)p;
	h->e_machine = EM_RISCV;
}
static void other_class(Elf64_Ehdr *h, Elf64_Phdr *p)
{
	(void)p;
	h->e_ident[0] = 'X';
}
static void no_segments(Elf64_Ehdr *h, Elf64_Phdr *p)
{
	(void)p;
	h->e_phnum = 0;
}
static void far_headers(Elf64_Ehdr *h, Elf64_Phdr *p)
{
	(void)p;
	h->e_phoff = 1 << 20;
}
static void odd_entry_size(Elf64_Ehdr *h, Elf64_Phdr *p)
{
	(void)p;
	h->e_phentsize = 3;
}
static void object_file(Elf64_Ehdr *h, Elf64_Phdr *p)
{
	(void)p;
	h->e_type = ET_REL;
}
static void wild_entry(Elf64_Ehdr *h, Elf64_Phdr *p)
{
	(void)p;
	h->e_entry = 0x10;
}
static void not_executable(Elf64_Ehdr *h, Elf64_Phdr *p)
{
	(void)h;
	p->p_flags = PF_R;
}
static void kernel_segment(Elf64_Ehdr *h, Elf64_Phdr *p)
{
	(void)h;
	p->p_vaddr = 1UL << 63;
}
static void huge_segment(Elf64_Ehdr *h, Elf64_Phdr *p)
{
	(void)h;
	p->p_memsz = 1UL << 60;
}
static void short_memory(Elf64_Ehdr *h, Elf64_Phdr *p)
{
	(void)h;
	p->p_memsz = 16;
}

static void test_elf(void)
{
	try_elf("smallest program", NULL, 0x1000);
	try_elf("other machine", other_machine, 0x1000);
	try_elf("bad magic", other_class, 0x1000);
	try_elf("wild: no program headers", no_segments, 0x1000);
	try_elf("wild: program headers beyond the file", far_headers, 0x1000);
	try_elf("wild: odd program header size", odd_entry_size, 0x1000);
	try_elf("object file", object_file, 0x1000);
	try_elf("wild: entry point outside", wild_entry, 0x1000);
	try_elf("wild: segment without execute right", not_executable, 0x1000);
	try_elf("wild: segment in the kernel half", kernel_segment, 0x1000);
	try_elf("wild: huge segment", huge_segment, 0x1000);
	try_elf("wild: file size above memory size", short_memory, 0x1000);
	try_elf("cut in the header", NULL, 40);
	try_elf("wild: cut in the program headers", NULL, 70);
	try_elf("one byte", NULL, 1);
	try_elf("empty", NULL, 0);
	unlink("elf");
}

static void test_scripts(void)
{
	char line[512];
	char *argv[] = {"zero", "a", "b", NULL}, *envp[] = {"E=1", NULL};

	snprintf(line, sizeof line, "#!%s args\nrest\n", self);
	write_file("script", line, strlen(line), 0700);
	run("script", "./script", argv, envp);
	snprintf(line, sizeof line, "#! \t %s \t args with spaces \t\nrest\n", self);
	write_file("script", line, strlen(line), 0700);
	run("script with blanks", "./script", argv, envp);
	snprintf(line, sizeof line, "#!%s", self);
	write_file("script", line, strlen(line), 0700);
	run("script without end of line", "./script", (char *[]){"x", NULL}, envp);
	write_file("script", "#!/nonexistent\n", 15, 0700);
	run("script, no such interpreter", "./script", argv, envp);
	write_file("script", "#!\n", 3, 0700);
	run("script, no interpreter", "./script", argv, envp);
	write_file("script", "#!   ", 5, 0700);
	run("script, blanks only", "./script", argv, envp);
	write_file("script", "plain text\n", 11, 0700);
	run("plain text", "./script", argv, envp);
	write_file("script", "#!./script\n", 11, 0700);
	run("script of itself", "./script", argv, envp);
	memset(line, 'x', 400);
	memcpy(line, "#!/", 3);
	write_file("script", line, 400, 0700);
	run("interpreter too long", "./script", argv, envp);
	unlink("script");
}

static void test_errors(void)
{
	char *argv[] = {"x", "args", NULL};
	char **volatile bad = (char **)8;
	static char name[5000];

	run("missing", "./missing", argv, NULL);
	run("empty name", "", argv, NULL);
	run("directory", ".", argv, NULL);
	mkdir("dir", 0700);
	run("through a file", "/proc/self/exe/x", argv, NULL);
	write_file("plain", "x", 1, 0600);
	run("no execute bit", "./plain", argv, NULL);
	symlink("loop", "loop");
	run("symbolic link loop", "./loop", argv, NULL);
	symlink(self, "link");
	run("through a symbolic link", "./link", argv, NULL);
	memset(name, 'n', 300);
	run("long name", name, argv, NULL);
	memset(name, '/', 4999);
	run("long path", name, argv, NULL);
	run("bad name", (char *)8, argv, NULL);
	run("bad argv", self, bad, NULL);
	run("bad argument", self, (char *[]){"x", (char *)8, NULL}, NULL);
	run("bad environment", self, argv, (char *[]){(char *)8, NULL});
	run("device", "/dev/null", argv, NULL);
	int fd = open("busy", O_RDWR | O_CREAT, 0700), from = open(self, O_RDONLY);
	char buffer[4096];
	for (ssize_t n; (n = read(from, buffer, sizeof buffer)) > 0;)
		if (write(fd, buffer, (size_t)n) != n)
			give_up("copy");
	run("open for writing", "./busy", argv, NULL);
	close(fd);
	close(from);
	run("no longer open", "./busy", argv, NULL);
	unlink("busy");
	unlink("plain");
	unlink("loop");
	unlink("link");
	rmdir("dir");

	fd = open(self, O_RDONLY | O_CLOEXEC);
	pid_t pid = fork();
	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
		_exit(1);
	}
	show_status("execveat of a descriptor", reap(pid));
	pid = fork();
	if (pid == 0) {
		syscall(SYS_execveat, 777, "x", argv, NULL, 0);
		say("execveat: %s\n", errno_name(errno));
		syscall(SYS_execveat, AT_FDCWD, self, argv, NULL, 0x4000000);
		say("execveat: %s\n", errno_name(errno));
		_exit(1);
	}
	reap(pid);
	close(fd);
}

static void test_inheritance(void)
{
	static char stack[16384];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
	struct itimerval timer = {.it_value.tv_sec = 1000};
	sigset_t set;
	pid_t pid = fork();

	if (pid == 0) {
		int fd = open("data", O_RDWR | O_CREAT, 0600);
		if (write(fd, "abc", 3) != 3 || dup2(fd, 20) != 20 || dup3(fd, 21, O_CLOEXEC) != 21)
			give_up("descriptors");
		unlink("data");
		signal(SIGUSR1, catch_signal);
		signal(SIGUSR2, SIG_IGN);
		sigemptyset(&set);
		sigaddset(&set, SIGHUP);
		sigprocmask(SIG_BLOCK, &set, NULL);
		raise(SIGHUP);
		setitimer(ITIMER_REAL, &timer, NULL);
		sigaltstack(&alternate, NULL);
		umask(031);
		mkdir("here", 0700);
		if (chdir("here") != 0)
			give_up("chdir");
		execl(self, "some name", "inherited", NULL);
		_exit(1);
	}
	show_status("inheritance", reap(pid));
	rmdir("here");
}

static void test_memory(void)
{
	/* Nothing of the old memory is left, and the parent's is untouched. */
	char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char place[32];
	pid_t pid = fork();

	if (pid == 0) {
		p[0] = 7;
		snprintf(place, sizeof place, "%lx", (unsigned long)(uintptr_t)p);
		execl(self, "x", "touch", place, NULL);
		_exit(1);
	}
	show_status("old mapping after exec", reap(pid));
	say("parent sees %d\n", p[0]);
	for (int i = 0; i < 30; i++) {
		pid = fork();
		if (pid == 0) {
			execl(self, "x", "exit", "5", NULL);
			_exit(1);
		}
		if (WEXITSTATUS(reap(pid)) != 5)
			say("run %d failed\n", i);
	}
	char count[16] = "50";
	pid = fork();
	if (pid == 0) {
		execl(self, "x", "again", count, NULL);
		_exit(1);
	}
	show_status("50 execs in one process", reap(pid));
}

/* The second argument chooses what an executed copy does. */
static int run_mode(int argc, char **argv)
{
	if (argc < 2)
		return 80; /* newer Linux makes argc 1 of 0 */
	if (strncmp(argv[1], "args", 4) == 0)
		return show_arguments(argc, argv);
	if (strcmp(argv[1], "auxv") == 0)
		return show_auxv(argv);
	if (strcmp(argv[1], "inherited") == 0)
		return show_inherited();
	if (strcmp(argv[1], "count") == 0)
		return argc == 20001 ? 1 : 2;
	if (strcmp(argv[1], "length") == 0)
		return strlen(argv[2]) == 131071 ? 1 : 2;
	if (strcmp(argv[1], "exit") == 0)
		return atoi(argv[2]);
	if (strcmp(argv[1], "touch") == 0)
		return *(volatile char *)(uintptr_t)strtoul(argv[2], NULL, 16);
	if (strcmp(argv[1], "again") == 0) {
		char count[16];
		snprintf(count, sizeof count, "%d", atoi(argv[2]) - 1);
		if (strcmp(count, "0") == 0)
			return 77;
		execl("/proc/self/exe", "x", "again", count, NULL);
		return 1;
	}
	return 90 + argc;
}

int main(int argc, char **argv)
{
	/* argv[0] is a path only for the first of us. */
	if (argc != 1 || argv[0] == NULL || strchr(argv[0], '/') == NULL || getenv("E") != NULL)
		return run_mode(argc, argv);
	self = realpath("/proc/self/exe", NULL);
	if (self == NULL)
		give_up("/proc/self/exe");
	enter_private_directory("exec");
	test_arguments();
	test_elf();
	test_scripts();
	test_errors();
	test_inheritance();
	test_memory();
	leave_private_directory();
	return 0;
}
