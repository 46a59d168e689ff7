#include "absence.h"

void ef_absence_note(struct ef_cache *c, const struct ef_job *job)
{
    if (job->absences <= c->absences)
        return;
    c->absences = job->absences;
    ef_scout_forget_all(c);
    for (uint32_t s = 0; s < c->sectors; s++) {
        struct sector *sector = &c->sector[s];
        if (ef_is_untold(c, sector)) {
            c->was_away = true;
            continue;
        }
        sector->known = false;
        if (sector->dirty || !sector->have || c->blind)
            continue;
        ef_sector_lose(c, s);
        /* A cache that forgets has no room for what is only expected. */
        sector->imaged = c->evict.limit >= c->sectors;
    }
    ef_cache_touch(c);
}
