/* A disk that does not finish syncing one file of pg_wal: LD_PRELOAD, and its name in HOLD_FILE.
 * While the file HOLD_FILE holds the name, fdatasync() of it does not return. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_held(const char *path) {
    char name[64];
    int hold = open(HOLD_FILE, O_RDONLY | O_CLOEXEC);
    if (hold < 0) return 0;
    ssize_t length = read(hold, name, sizeof name - 1);
    close(hold);
    if (length <= 0) return 0;
    name[length] = 0;
    return strstr(path, "/pg_wal/") && strstr(path, name);
}

int fdatasync(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length > 0) {
        path[length] = 0;
        while (is_held(path)) usleep(20000);
    }
    return (int)syscall(SYS_fdatasync, file);
}
