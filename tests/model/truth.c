#include "truth.h"

#include <stdlib.h>
#include <string.h>

void truth_init(struct truth *t, uint32_t size, const uint8_t *contents)
{
    memset(t, 0, sizeof(*t));
    t->size = size;
    pthread_mutex_init(&t->lock, NULL);
    chance_init(&t->seen, size);
    chance_init(&t->chip, size);
    chance_put(&t->seen, 0, size, contents);
    chance_put(&t->chip, 0, size, contents);
}

void truth_free(struct truth *t)
{
    chance_free(&t->seen);
    chance_free(&t->chip);
    pthread_mutex_destroy(&t->lock);
}

/* Under the lock: a read's layer of [off, off+len), so far as it is in the read. */
static void add_layer(struct truth *t, unsigned reader, uint32_t off, uint32_t len,
                      const uint8_t *data)
{
    uint32_t from = t->read[reader].off;
    uint32_t to = from + t->read[reader].len;
    uint32_t lo = off > from ? off : from;
    uint32_t hi = off + len < to ? off + len : to;
    if (lo >= hi)
        return;
    struct truth_layer *layer = malloc(sizeof(*layer) + hi - lo);
    if (!layer)
        abort();
    layer->off = lo;
    layer->len = hi - lo;
    memcpy(layer->bytes, data + (lo - off), hi - lo);
    layer->next = t->read[reader].layers;
    t->read[reader].layers = layer;
}

void truth_begin_write(struct truth *t, unsigned thread, uint32_t off, uint32_t len,
                       const uint8_t *data)
{
    pthread_mutex_lock(&t->lock);
    t->write[thread].data = data;
    t->write[thread].off = off;
    t->write[thread].len = len;
    chance_may(&t->chip, off, len, data);
    for (unsigned i = 0; i < TRUTH_THREADS; i++)
        if (t->read[i].active)
            add_layer(t, i, off, len, data);
    pthread_mutex_unlock(&t->lock);
}

void truth_end_write(struct truth *t, unsigned thread, enum truth_end end)
{
    pthread_mutex_lock(&t->lock);
    uint32_t off = t->write[thread].off;
    uint32_t len = t->write[thread].len;
    if (end == TRUTH_DONE)
        chance_put(&t->seen, off, len, t->write[thread].data);
    else
        chance_may(&t->seen, off, len, t->write[thread].data);
    t->write[thread].data = NULL;
    pthread_mutex_unlock(&t->lock);
}

void truth_copy(struct truth *t, uint32_t off, uint32_t len, uint8_t *data)
{
    pthread_mutex_lock(&t->lock);
    memcpy(data, t->seen.base + off, len);
    pthread_mutex_unlock(&t->lock);
}

/* Under the lock: the other values that bytes of the range may have, as layers. */
static void add_chances(struct truth *t, unsigned reader, uint32_t off, uint32_t len)
{
    uint8_t bytes[CHANCE_SECTOR];
    for (uint32_t s = off / CHANCE_SECTOR; s * CHANCE_SECTOR < off + len; s++) {
        const struct chance_more *m = t->seen.more[s];
        bool some = m != NULL;
        for (uint8_t k = 0; some && k < CHANCE_MAX; k++) {
            some = false;
            memcpy(bytes, t->seen.base + (size_t)s * CHANCE_SECTOR, CHANCE_SECTOR);
            for (uint32_t i = 0; i < CHANCE_SECTOR; i++) {
                if (m->count[i] > k) {
                    bytes[i] = m->value[k][i];
                    some = true;
                }
            }
            if (some)
                add_layer(t, reader, s * CHANCE_SECTOR, CHANCE_SECTOR, bytes);
        }
    }
}

void truth_begin_read(struct truth *t, unsigned thread, uint32_t off, uint32_t len)
{
    uint8_t *base = malloc(len);
    if (!base)
        abort();
    pthread_mutex_lock(&t->lock);
    memcpy(base, t->seen.base + off, len);
    t->read[thread].active = true;
    t->read[thread].off = off;
    t->read[thread].len = len;
    t->read[thread].base = base;
    t->read[thread].open = chance_is_open(&t->seen, off, len);
    add_chances(t, thread, off, len);
    for (unsigned i = 0; i < TRUTH_THREADS; i++)
        if (t->write[i].data)
            add_layer(t, thread, t->write[i].off, t->write[i].len, t->write[i].data);
    pthread_mutex_unlock(&t->lock);
}

static bool layers_allow(const struct truth_layer *layer, uint32_t off, uint8_t byte)
{
    for (; layer; layer = layer->next)
        if (off >= layer->off && off - layer->off < layer->len &&
            layer->bytes[off - layer->off] == byte)
            return true;
    return false;
}

static void free_layers(struct truth_layer *layer)
{
    while (layer) {
        struct truth_layer *next = layer->next;
        free(layer);
        layer = next;
    }
}

bool truth_end_read(struct truth *t, unsigned thread, const uint8_t *bytes, uint32_t got,
                    uint32_t *at, uint8_t *may)
{
    pthread_mutex_lock(&t->lock);
    uint32_t off = t->read[thread].off;
    uint8_t *base = t->read[thread].base;
    struct truth_layer *layers = t->read[thread].layers;
    bool open = t->read[thread].open;
    t->read[thread].active = false;
    t->read[thread].layers = NULL;
    t->read[thread].base = NULL;
    pthread_mutex_unlock(&t->lock);
    bool right = open || memcmp(base, bytes, got) == 0;
    for (uint32_t i = 0; i < got && !right; i++) {
        if (base[i] != bytes[i] && !layers_allow(layers, off + i, bytes[i])) {
            *at = off + i;
            *may = base[i];
            break;
        }
        right = i + 1 == got;
    }
    free(base);
    free_layers(layers);
    return right;
}

bool truth_expect_chip(struct truth *t, uint32_t off, uint32_t len, const uint8_t *chip,
                       uint32_t *at)
{
    pthread_mutex_lock(&t->lock);
    bool right = chance_match(&t->seen, off, len, chip + off, at);
    if (right) {
        chance_put(&t->seen, off, len, chip + off);
        chance_put(&t->chip, off, len, chip + off);
    }
    pthread_mutex_unlock(&t->lock);
    return right;
}

bool truth_adopt(struct truth *t, const uint8_t *bytes, uint32_t *at)
{
    pthread_mutex_lock(&t->lock);
    bool right = chance_match(&t->chip, 0, t->size, bytes, at);
    if (right) {
        chance_put(&t->seen, 0, t->size, bytes);
        chance_put(&t->chip, 0, t->size, bytes);
    }
    pthread_mutex_unlock(&t->lock);
    return right;
}

uint32_t truth_accept(struct truth *t, const uint8_t *bytes)
{
    uint32_t sectors = 0;
    uint32_t at;
    pthread_mutex_lock(&t->lock);
    for (uint32_t off = 0; off < t->size; off += CHANCE_SECTOR) {
        bool allowed = chance_match(&t->chip, off, CHANCE_SECTOR, bytes + off, &at) ||
                       chance_match(&t->seen, off, CHANCE_SECTOR, bytes + off, &at);
        sectors += !allowed;
        chance_put(&t->seen, off, CHANCE_SECTOR, bytes + off);
        chance_put(&t->chip, off, CHANCE_SECTOR, bytes + off);
    }
    pthread_mutex_unlock(&t->lock);
    return sectors;
}
