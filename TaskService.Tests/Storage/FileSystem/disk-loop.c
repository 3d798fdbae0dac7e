// What a disk gives to a loop that does what the fs engine must: write a file aside, fsync it, rename it, and have the
// directory synced, by one fsync for all that wait. Usage: disk-loop DIRECTORY WRITERS SECONDS. Prints changes a second.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t served_more = PTHREAD_COND_INITIALIZER;
static long asked, served;
static int running, directory;
static volatile int enough;
static const char *path;

static void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void sync_directory(void)
{
    pthread_mutex_lock(&gate);
    long mine = ++asked;
    while (running && served < mine)
        pthread_cond_wait(&served_more, &gate);
    if (served < mine) {
        long up_to = asked;
        running = 1;
        pthread_mutex_unlock(&gate);
        must(fsync(directory) == 0, "fsync of the directory");
        pthread_mutex_lock(&gate);
        running = 0;
        served = up_to;
        pthread_cond_broadcast(&served_more);
    }
    pthread_mutex_unlock(&gate);
}

static void *write_all(void *writer)
{
    const char *text = "{\"priority\":\"none\",\"title\":\"Task1\",\"completed\":false}";
    char aside[1024], name[1024];
    long count = 0;
    for (; !enough; count++) {
        snprintf(aside, sizeof aside, "%s/.%ld.%ld.tmp", path, (long)writer, count);
        snprintf(name, sizeof name, "%s/%ld.%ld.json", path, (long)writer, count);
        int file = open(aside, O_WRONLY | O_CREAT | O_EXCL, 0644);
        must(file >= 0, aside);
        must(pwrite(file, text, strlen(text), 0) == (ssize_t)strlen(text), "write");
        must(fsync(file) == 0, "fsync");
        must(close(file) == 0, "close");
        must(rename(aside, name) == 0, "rename");
        sync_directory();
    }
    return (void *)count;
}

int main(int argc, char **argv)
{
    must(argc == 4, "usage: disk-loop DIRECTORY WRITERS SECONDS");
    int writers = atoi(argv[2]);
    pthread_t threads[writers];
    struct timespec from, to;
    long total = 0;
    path = argv[1];
    directory = open(path, O_RDONLY);
    must(directory >= 0, path);
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (long i = 0; i < writers; i++)
        must(pthread_create(&threads[i], NULL, write_all, (void *)i) == 0, "thread");
    sleep(atoi(argv[3]));
    enough = 1;
    for (int i = 0; i < writers; i++) {
        void *count;
        pthread_join(threads[i], &count);
        total += (long)count;
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%.0f\n", total / ((to.tv_sec - from.tv_sec) + (to.tv_nsec - from.tv_nsec) / 1e9));
    return 0;
}
