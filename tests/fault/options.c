#include "options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct option OPTIONS[] = {
    {"all", no_argument, NULL, 'a'},           {"at-most", required_argument, NULL, 'm'},
    {"sample", required_argument, NULL, 'n'},  {"seed", required_argument, NULL, 's'},
    {"chip", required_argument, NULL, 'c'},    {"loader", required_argument, NULL, 'l'},
    {"line", required_argument, NULL, 'L'},    {"scenario", required_argument, NULL, 'S'},
    {"fault", required_argument, NULL, 'f'},   {"step", required_argument, NULL, 'k'},
    {"variant", required_argument, NULL, 'v'}, {"without", required_argument, NULL, 'w'},
    {"verbose", no_argument, NULL, 'V'},       {NULL, 0, NULL, 0}};

static int usage(void)
{
    fputs("sweep [--all [--at-most N] | --sample N] [--seed N] [--chip CHIP] [--loader stub|rom]\n"
          "      [--line serial|socket] [--scenario NAME] [--fault NAME [--step K --variant V]]\n"
          "      [--without proof|journal] [--verbose]\n",
          stderr);
    return -1;
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 0);
}

static bool take(struct sw_options *o, int code)
{
    switch (code) {
    case 'a':
        o->sample = 0;
        return true;
    case 'm':
        o->at_most = (uint32_t)number(optarg);
        return true;
    case 'n':
        o->sample = (uint32_t)number(optarg);
        return o->sample > 0;
    case 's':
        o->seed = number(optarg);
        return true;
    case 'c':
        o->chip = optarg;
        return true;
    case 'l':
        o->loader = optarg;
        return true;
    case 'L':
        o->line = optarg;
        return true;
    case 'S':
        o->scenario = optarg;
        return sw_scenario_find(optarg) != NULL;
    case 'f':
        o->fault = optarg;
        return sw_fault_find(optarg) != SW_FAULTS;
    case 'k':
        o->step = (uint32_t)number(optarg);
        return o->step > 0;
    case 'v':
        o->variant = (uint32_t)number(optarg);
        return true;
    case 'w':
        o->without = optarg;
        return strcmp(optarg, "proof") == 0 || strcmp(optarg, "journal") == 0;
    case 'V':
        o->verbose = true;
        return true;
    default:
        return false;
    }
}

bool sw_options_parse(struct sw_options *o, int argc, char **argv)
{
    int code;
    o->sample = 4;
    o->seed = (uint64_t)time(NULL);
    while ((code = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
        if (!take(o, code))
            return usage() == 0;
    if (optind != argc || (o->step && !o->fault))
        return usage() == 0;
    /* In memory, where there is such a folder: thousands of journals are synced. */
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
    snprintf(o->folder, sizeof(o->folder), "%.40s/sweep.XXXXXX", base ? base : "/tmp");
    if (mkdtemp(o->folder))
        return true;
    perror(o->folder);
    return false;
}

const char *sw_loader_name(const struct sw_target *target)
{
    return target->stub ? "stub" : "rom";
}

const char *sw_line_name(const struct sw_target *target)
{
    return target->line == SW_LINE_SERIAL ? "serial" : "socket";
}

static bool is(const char *wanted, const char *name)
{
    return !wanted || strcmp(wanted, name) == 0;
}

bool sw_options_want(const struct sw_options *o, const struct sw_target *target,
                     const struct sw_scenario *scenario)
{
    return is(o->chip, target->chip) && is(o->loader, sw_loader_name(target)) &&
           is(o->line, sw_line_name(target)) && is(o->scenario, scenario->name);
}

bool sw_options_want_fault(const struct sw_options *o, enum sw_fault fault)
{
    return is(o->fault, sw_fault_name(fault));
}
