/* What tests run on the server: a tiny program that takes mail, and tenants who
   hide. hostile MODE ...; called by another name it takes mail and ends. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char *target = "/usr/bin/msmtp";
extern char **environ;

/* be takes another name, and writes it over its arguments. */
static void be(char **argv, const char *name)
{
	prctl(PR_SET_NAME, name);
	strncpy(argv[0], name, strlen(argv[0]));
}

static void submit(char **env)
{
	char *args[] = {"/usr/lib/postfix/sbin/pickup", "-t", "-i", "--", "victim@takes.test", NULL};
	pid_t pid = fork();
	if (pid == 0) {
		execve(target, args, env);
		_exit(127);
	}
	waitpid(pid, NULL, 0);
}

/* storm COUNT BESIDE BYTES: so many processes, so many at once, each with an
   environment of so many bytes. */
static int storm(int count, int beside, int bytes)
{
	char *big = malloc(bytes + 8), *env[] = {big, "SECRET=hunter2", NULL};
	char *args[] = {"sendmail", "-t", NULL};
	int running = 0;
	memset(big, 'x', bytes + 7);
	memcpy(big, "PAD=", 4);
	big[bytes + 7] = 0;
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			execve(target, args, env);
			_exit(127);
		}
		if (pid < 0)
			return 1;
		if (++running == beside) {
			wait(NULL);
			running--;
		}
	}
	while (wait(NULL) > 0)
		;
	return 0;
}

int main(int argc, char **argv)
{
	char *slash = strrchr(argv[0], '/');
	char *forged[] = {
		"SCRIPT_FILENAME=/var/www/vhosts/forum.example/httpdocs/old/send.php", "REMOTE_ADDR=198.51.100.99",
		"REQUEST_METHOD=POST", "REQUEST_URI=/old/send.php?password=hunter2", "HTTP_AUTHORIZATION=Basic hunter2",
		"DB_PASSWORD=hunter2", NULL,
	};
	if (argc < 2 || strcmp(slash ? slash + 1 : argv[0], "hostile"))
		return 0;
	if (!strcmp(argv[1], "storm") && argc == 5)
		return storm(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
	be(argv, "qmgr");
	open("/etc/passwd", O_RDONLY);
	if (argc > 2 && open(argv[2], O_RDONLY) < 0)
		return 1;
	submit(strcmp(argv[1], "forge") ? environ : forged);
	if (!strcmp(argv[1], "rename") && argc > 3)
		return rename(argv[2], argv[3]) < 0;
	return 0;
}
