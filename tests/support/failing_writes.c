/* A library for LD_PRELOAD that makes writes fail with EIO, as those of a worn SD card.

   While the file $FAIL_WHILE exists, a write, a truncation or a flush fails if the path of the
   file begins with $FAIL_PATHS. The n-th call from then on is the first that fails, where n is the
   content of $FAIL_WHILE: an empty file means that all fail. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int calls;

static int fails(int fd) {
    char link[64], path[4096], text[16] = "";
    const char *paths = getenv("FAIL_PATHS"), *trigger = getenv("FAIL_WHILE");
    int saved = errno, answer = 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (paths && trigger && length > 0) {
        path[length] = 0;
        int file = strncmp(path, paths, strlen(paths)) ? -1 : open(trigger, O_RDONLY);
        if (file >= 0) {
            if (read(file, text, sizeof text - 1) < 0)
                text[0] = 0;
            close(file);
            answer = ++calls >= atoi(text);
        }
    }
    errno = answer ? EIO : saved;
    return answer;
}

#define REPLACE(result, name, parameters, arguments) \
    result name parameters { \
        static result (*real) parameters; \
        if (!real) \
            *(void **)&real = dlsym(RTLD_NEXT, #name); \
        return fails(fd) ? -1 : real arguments; \
    }

REPLACE(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size))
REPLACE(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
REPLACE(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
REPLACE(int, ftruncate, (int fd, off_t size), (fd, size))
REPLACE(int, ftruncate64, (int fd, off64_t size), (fd, size))
REPLACE(int, fsync, (int fd), (fd))
REPLACE(int, fdatasync, (int fd), (fd))
