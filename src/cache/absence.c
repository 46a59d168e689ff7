#include "absence.h"

void ef_absence_doubt(struct ef_cache *c, uint32_t s)
{
    struct sector *sector = &c->sector[s];
    if (ef_is_untold(c, sector)) {
        c->was_away = true;
        return;
    }
    sector->known = false;
    if (sector->dirty || !sector->have || c->blind)
        return;
    ef_sector_lose(c, s);
    /* A cache that forgets has no room for what is only expected. */
    sector->imaged = c->evict.limit >= c->sectors;
}

void ef_absence_note(struct ef_cache *c, const struct ef_job *job)
{
    if (job->absences <= c->absences)
        return;
    c->absences = job->absences;
    ef_scout_forget_all(c);
    for (uint32_t s = 0; s < c->sectors; s++)
        ef_absence_doubt(c, s);
    ef_cache_touch(c, false);
}
