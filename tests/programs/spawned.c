/* A program to be spawned; static, so that it also runs in an empty jail.
 *
 *     spawned [out=TEXT] [err=TEXT] [ms=N] [exit=N | sig=N] [anything]...
 *
 * Writes the texts, waits N milliseconds, then exits or dies by a signal as it is
 * told; else it stays until it is killed.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *value_of(int argc, char **argv, const char *key)
{
    size_t length = strlen(key);
    for (int i = argc - 1; i > 0; i--)
        if (!strncmp(argv[i], key, length) && argv[i][length] == '=')
            return argv[i] + length + 1;
    return NULL;
}

static void write_to(int fd, const char *text)
{
    if (text && write(fd, text, strlen(text)) < 0)
        return; /* nobody reads it */
}

int main(int argc, char **argv)
{
    const char *wait = value_of(argc, argv, "ms");
    const char *status = value_of(argc, argv, "exit");
    const char *number = value_of(argc, argv, "sig");

    write_to(STDOUT_FILENO, value_of(argc, argv, "out"));
    write_to(STDERR_FILENO, value_of(argc, argv, "err"));
    if (wait)
        usleep(1000 * atoi(wait));
    if (number)
        raise(atoi(number));
    if (status)
        return atoi(status);
    for (;;)
        pause();
}
