/* `hawser sim --explore`: every story of a scenario with a few deviations, on all cores. */
#ifndef HW_APPS_SIM_EXPLORE_MAIN_H
#define HW_APPS_SIM_EXPLORE_MAIN_H

/* `argv[0]` is "sim". Returns the exit status: 0, 1 when a rule was broken, 2 for a command line that makes no sense.
 */
int sim_explore_main(int argc, char **argv);

#endif
