#include "open_files.h"

#include "espflashfs/parts.h"

#include <stdlib.h>

void open_files_init(struct open_files *files)
{
    files->newest = NULL;
    pthread_mutex_init(&files->lock, NULL);
}

void open_files_free(struct open_files *files)
{
    while (files->newest)
        open_files_release(files, files->newest);
    pthread_mutex_destroy(&files->lock);
}

void open_files_add(struct open_files *files, struct open_file *file)
{
    pthread_mutex_lock(&files->lock);
    file->next = files->newest;
    file->link = &files->newest;
    if (file->next)
        file->next->link = &file->next;
    files->newest = file;
    pthread_mutex_unlock(&files->lock);
}

void open_files_release(struct open_files *files, struct open_file *file)
{
    pthread_mutex_lock(&files->lock);
    *file->link = file->next;
    if (file->next)
        file->next->link = file->link;
    pthread_mutex_unlock(&files->lock);
    ef_task_end(&file->node->mount->progress, &file->task);
    file->node->ops->release(file->node, file->handle);
    ef_node_put(file->node);
    free(file);
}

bool open_files_has(struct open_files *files, const struct ef_node *node)
{
    pthread_mutex_lock(&files->lock);
    struct open_file *file = files->newest;
    while (file && file->node != node)
        file = file->next;
    pthread_mutex_unlock(&files->lock);
    return file != NULL;
}

void open_files_forget_fresh(struct open_files *files, pid_t caller)
{
    pthread_mutex_lock(&files->lock);
    for (struct open_file *file = files->newest; file; file = file->next)
        if (file->opener == caller)
            file->fresh = false;
    pthread_mutex_unlock(&files->lock);
}

void open_files_mark_replacing(struct open_files *files, const struct ef_node *node, pid_t caller)
{
    pthread_mutex_lock(&files->lock);
    struct open_file *file = files->newest;
    while (file && !(file->fresh && file->node == node && file->opener == caller && caller > 0))
        file = file->next;
    if (file) {
        file->fresh = false;
        if (node->ops->replace)
            node->ops->replace(file->node, file->handle);
    }
    pthread_mutex_unlock(&files->lock);
}
