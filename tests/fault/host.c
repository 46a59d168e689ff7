#include "host.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <zlib.h>

/* The C library gives these functions no place to keep it. */
static atomic_bool armed;
static atomic_uint allocations, changes;
static atomic_uint refused_allocation, refused_change;
static atomic_int disk_errno;
static atomic_bool for_good; /* the disk stays as it is then */
static _Thread_local int passing;

static int errno_of(enum sw_fault fault)
{
    return fault == SW_DISK_FULL ? ENOSPC : fault == SW_DISK_READ_ONLY ? EROFS : EIO;
}

void sw_host_arm(const struct sw_point *point)
{
    enum sw_step step = sw_fault_step(point->fault);
    atomic_store(&allocations, 0);
    atomic_store(&changes, 0);
    atomic_store(&refused_allocation, step == SW_STEP_HOST ? point->step : 0);
    atomic_store(&refused_change, step == SW_STEP_DISK ? point->step : 0);
    atomic_store(&disk_errno, errno_of(point->fault));
    atomic_store(&for_good, point->variant % 2 != 0);
    atomic_store(&armed, true);
}

bool sw_host_disarm(struct sw_footprint *print)
{
    uint32_t allocation = atomic_load(&refused_allocation);
    uint32_t change = atomic_load(&refused_change);
    atomic_store(&armed, false);
    print->allocations = atomic_load(&allocations);
    print->changes = atomic_load(&changes);
    return (allocation && allocation <= print->allocations) || (change && change <= print->changes);
}

void sw_host_pass(int by)
{
    passing += by;
}

static bool refuses(void)
{
    if (passing || !atomic_load(&armed))
        return false;
    return atomic_fetch_add(&allocations, 1) + 1 == atomic_load(&refused_allocation);
}

bool sw_host_refuses_change(void)
{
    if (passing || !atomic_load(&armed))
        return false;
    uint32_t number = atomic_fetch_add(&changes, 1) + 1;
    uint32_t from = atomic_load(&refused_change);
    if (from == 0 || number < from || (number > from && !atomic_load(&for_good)))
        return false;
    errno = atomic_load(&disk_errno);
    return true;
}

void *real_malloc(size_t len) SW_REAL(malloc);
void *real_calloc(size_t count, size_t len) SW_REAL(calloc);
void *real_realloc(void *old, size_t len) SW_REAL(realloc);
char *real_strdup(const char *text) SW_REAL(strdup);
void *real_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t off) SW_REAL(mmap64);
int real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
                        void *arg) SW_REAL(pthread_create);
int real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
                                const struct timespec *until) SW_REAL(pthread_cond_timedwait);
int real_compress2(Bytef *dest, uLongf *dest_len, const Bytef *source, uLong len, int level)
    SW_REAL(compress2);
void *wrap_malloc(size_t len) SW_WRAP(malloc);
void *wrap_calloc(size_t count, size_t len) SW_WRAP(calloc);
void *wrap_realloc(void *old, size_t len) SW_WRAP(realloc);
char *wrap_strdup(const char *text) SW_WRAP(strdup);
void *wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t off) SW_WRAP(mmap64);
int wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
                        void *arg) SW_WRAP(pthread_create);
int wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
                                const struct timespec *until) SW_WRAP(pthread_cond_timedwait);
int wrap_compress2(Bytef *dest, uLongf *dest_len, const Bytef *source, uLong len, int level)
    SW_WRAP(compress2);

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *wrap_malloc(size_t len)
{
    return refuses() ? no_memory() : real_malloc(len);
}

void *wrap_calloc(size_t count, size_t len)
{
    return refuses() ? no_memory() : real_calloc(count, len);
}

void *wrap_realloc(void *old, size_t len)
{
    return refuses() ? no_memory() : real_realloc(old, len);
}

char *wrap_strdup(const char *text)
{
    return refuses() ? no_memory() : real_strdup(text);
}

void *wrap_mmap64(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
    if (!refuses())
        return real_mmap64(at, len, prot, flags, fd, off);
    errno = ENOMEM;
    return MAP_FAILED;
}

int wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*body)(void *),
                        void *arg)
{
    return refuses() ? EAGAIN : real_pthread_create(thread, attr, body, arg);
}

/* It allocates inside the library. */
int wrap_compress2(Bytef *dest, uLongf *dest_len, const Bytef *source, uLong len, int level)
{
    return refuses() ? Z_MEM_ERROR : real_compress2(dest, dest_len, source, len, level);
}

/*
 * Who waits for another thread waits in real time, a slice of it: `until` may be the sweep's own
 * time, which does not pass by itself.
 */
int wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock,
                                const struct timespec *until)
{
    enum { SLICE_NS = 100000000, NS_PER_S = 1000000000 };
    struct timespec soon;
    (void)until;
    clock_gettime(CLOCK_MONOTONIC, &soon);
    soon.tv_nsec += SLICE_NS;
    soon.tv_sec += soon.tv_nsec / NS_PER_S;
    soon.tv_nsec %= NS_PER_S;
    return real_pthread_cond_timedwait(cond, lock, &soon);
}
