/* Copyright 2026 The swarm_ledger authors. SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded before a process that writes a ledger: counts what it does to files whose name holds
 * BAD_DISK_FILE (default "ledger.db"), and at the BAD_DISK_AT-th of these calls does as
 * BAD_DISK_DO says: "kill" dies before it, "tear" dies after half of a write, "eio" and "enospc"
 * fail from there on. BAD_DISK_COUNT names a file that is told the number of calls at the end. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long calls;

static int ours(const char *name) {
    const char *wanted = getenv("BAD_DISK_FILE");
    return strstr(name, wanted ? wanted : "ledger.db") != NULL;
}

static int ours_fd(int fd) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t got = readlink(link, name, sizeof name - 1);
    if (got < 0)
        return 0;
    name[got] = 0;
    return ours(name);
}

/* Returns 0 to go on, 1 to fail with errno, 2 to tear. */
static int met(void) {
    const char *at = getenv("BAD_DISK_AT"), *deed = getenv("BAD_DISK_DO");
    calls++;
    if (!at || !deed || calls < atol(at))
        return 0;
    if (!strcmp(deed, "eio") || !strcmp(deed, "enospc")) {
        errno = strcmp(deed, "eio") ? ENOSPC : EIO;
        return 1;
    }
    if (!strcmp(deed, "kill"))
        kill(getpid(), SIGKILL);
    return 2;
}

static void die(void) { kill(getpid(), SIGKILL); }

__attribute__((destructor)) static void tell(void) {
    const char *name = getenv("BAD_DISK_COUNT");
    FILE *file = name ? fopen(name, "w") : NULL;
    if (file) {
        fprintf(file, "%ld\n", calls);
        fclose(file);
    }
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define WRITER(name, offset_type)                                                                  \
    ssize_t name(int fd, const void *data, size_t size, offset_type at) {                          \
        int deed = ours_fd(fd) ? met() : 0;                                                        \
        if (deed == 1)                                                                             \
            return -1;                                                                             \
        ssize_t done = REAL(name)(fd, data, deed ? size / 2 : size, at);                           \
        if (deed)                                                                                  \
            die();                                                                                 \
        return done;                                                                               \
    }
WRITER(pwrite, off_t)
WRITER(pwrite64, off64_t)

ssize_t write(int fd, const void *data, size_t size) {
    int deed = ours_fd(fd) ? met() : 0;
    if (deed == 1)
        return -1;
    ssize_t done = REAL(write)(fd, data, deed ? size / 2 : size);
    if (deed)
        die();
    return done;
}

#define OTHER(name, parameters, arguments, subject)                                                \
    int name parameters {                                                                          \
        int deed = subject ? met() : 0;                                                            \
        if (deed == 1)                                                                             \
            return -1;                                                                             \
        if (deed)                                                                                  \
            die();                                                                                 \
        return REAL(name) arguments;                                                               \
    }
OTHER(fsync, (int fd), (fd), ours_fd(fd))
OTHER(fdatasync, (int fd), (fd), ours_fd(fd))
OTHER(ftruncate, (int fd, off_t size), (fd, size), ours_fd(fd))
OTHER(ftruncate64, (int fd, off64_t size), (fd, size), ours_fd(fd))
OTHER(unlink, (const char *name), (name), ours(name))
