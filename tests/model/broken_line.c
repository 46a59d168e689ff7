#include "broken_line.h"

static struct broken_line *self_of(struct ef_line *line)
{
    return ((struct board_line *)line)->user;
}

static struct eb_faults *faults_of(struct broken_line *self)
{
    return eb_board_faults(self->board->drive->board);
}

static void disarm(struct broken_line *self)
{
    struct eb_faults *faults = faults_of(self);
    faults->count = 0;
    faults->touches_bytes[EB_IN] = false;
    faults->touches_bytes[EB_OUT] = false;
    self->armed = false;
}

static void arm(struct broken_line *self, const struct op *op)
{
    static const struct {
        enum eb_fault_kind kind;
        enum eb_direction direction;
    } KINDS[FAULT_KINDS] = {
        [FAULT_FLIP_IN] = {EB_FAULT_FLIP, EB_IN},
        [FAULT_FLIP_OUT] = {EB_FAULT_FLIP, EB_OUT},
        [FAULT_DROP_IN] = {EB_FAULT_DROP, EB_IN},
        [FAULT_DROP_OUT] = {EB_FAULT_DROP, EB_OUT},
        [FAULT_DUP_IN] = {EB_FAULT_DUP, EB_IN},
        [FAULT_DUP_OUT] = {EB_FAULT_DUP, EB_OUT},
        [FAULT_SILENCE_IN] = {EB_FAULT_SILENCE, EB_IN},
        [FAULT_SILENCE_OUT] = {EB_FAULT_SILENCE, EB_OUT},
        [FAULT_REJECT] = {EB_FAULT_REJECT, EB_IN},
    };
    struct eb_faults *faults = faults_of(self);
    if (op->detail == FAULT_RESET) {
        eb_board_press_buttons(self->board->drive->board, self->board->drive->now_ns);
        self->happened++;
        return;
    }
    if (op->detail == FAULT_HANG_UP) {
        self->cut_after = 0;
        self->happened++;
        return;
    }
    enum eb_direction direction = KINDS[op->detail].direction;
    bool bytes = op->detail != FAULT_REJECT;
    faults->count = 1;
    faults->touches_bytes[direction] = bytes;
    faults->list[0] = (struct eb_fault){
        .kind = KINDS[op->detail].kind,
        .direction = direction,
        .index = op->off + (bytes ? faults->seen[direction] : faults->commands + 1),
        .count = op->detail <= FAULT_FLIP_OUT ? op->len % 8 : op->len};
    self->armed = true;
}

static bool is_over(const struct eb_faults *faults)
{
    const struct eb_fault *f = &faults->list[0];
    if (f->kind == EB_FAULT_REJECT)
        return faults->commands >= f->index;
    return faults->seen[f->direction] > f->index + (f->kind == EB_FAULT_SILENCE ? f->count : 0);
}

/* On the line's thread. */
static void look(struct broken_line *self)
{
    if (self->armed && is_over(faults_of(self))) {
        self->happened++;
        disarm(self);
    }
    if (self->armed && self->quiet)
        disarm(self);
    if (self->armed || self->quiet || !self->asked)
        return;
    pthread_mutex_lock(&self->lock);
    struct op op = self->wanted;
    self->asked = false;
    pthread_mutex_unlock(&self->lock);
    arm(self, &op);
}

static bool is_cut(struct broken_line *self, bool writes)
{
    if (self->cut_after > 0 && writes)
        self->cut_after--;
    return self->cut_after == 0;
}

static enum ef_err broken_read(struct ef_line *line, uint8_t *buf, size_t cap, ef_deadline deadline,
                               size_t *got)
{
    return is_cut(self_of(line), false) ? EF_GONE : board_line_read(line, buf, cap, deadline, got);
}

static enum ef_err broken_write(struct ef_line *line, const uint8_t *buf, size_t len,
                                ef_deadline deadline)
{
    struct broken_line *self = self_of(line);
    look(self);
    return is_cut(self, true) ? EF_GONE : board_line_write(line, buf, len, deadline);
}

void broken_line_init(struct broken_line *self, struct board_line *board)
{
    self->board = board;
    self->ops = *board->line.ops;
    self->ops.read = broken_read;
    self->ops.write = broken_write;
    self->cut_after = -1;
    pthread_mutex_init(&self->lock, NULL);
    board->user = self;
    board->line.ops = &self->ops;
}

void broken_line_ask(struct broken_line *self, const struct op *fault)
{
    pthread_mutex_lock(&self->lock);
    if (!self->asked) {
        self->wanted = *fault;
        self->asked = true;
    }
    pthread_mutex_unlock(&self->lock);
}

void broken_line_calm(struct broken_line *self, bool calm)
{
    self->quiet = calm;
    self->asked = false;
}

void broken_line_cut(struct broken_line *self, int64_t writes)
{
    self->cut_after = writes;
}
