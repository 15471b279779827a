/* A FastCGI program that does what its path says, made with libfcgi.
 *
 *     kept [say=TEXT] [exit=N] [deaf] [child]
 *
 * Says TEXT on stderr when it starts; exits with N at once; ignores what asks it to
 * leave; has a child that never ends.  A request for /MS/... takes so many
 * milliseconds, one for /held until there is a file `go` where it was started; one
 * for /crash, /leave or /fail is its last.
 */
#include <fcgi_stdio.h>
#undef fprintf
#undef stderr
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void start(const char *word)
{
    if (!strncmp(word, "say=", 4))
        fprintf(stderr, "%s\n", word + 4);
    else if (!strncmp(word, "exit=", 5))
        exit(atoi(word + 5));
    else if (!strcmp(word, "deaf"))
        signal(SIGUSR2, SIG_IGN);
    else if (!strcmp(word, "child") && !fork())
        while (1)
            pause();
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        start(argv[i]);
    while (FCGI_Accept() >= 0) {
        char path[64] = "/";
        if (getenv("REQUEST_URI")) /* gone when the request is finished */
            strncpy(path, getenv("REQUEST_URI"), sizeof path - 1);
        usleep(1000 * atoi(path + 1));
        while (!strcmp(path, "/held") && access("go", F_OK))
            usleep(10000);
        FCGI_printf("Content-Type: text/plain\r\n\r\n%d", getpid());
        FCGI_Finish();
        if (!strcmp(path, "/crash"))
            abort();
        if (!strcmp(path, "/fail"))
            return 3;
        if (!strcmp(path, "/leave"))
            return 0;
    }
    return 0;
}
