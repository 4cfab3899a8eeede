/* `hawser sim --swarm`: many seeds, on all cores. */
#ifndef HW_APPS_SIM_SWARM_MAIN_H
#define HW_APPS_SIM_SWARM_MAIN_H

/* `argv[0]` is "sim". Returns the exit status: 0, 1 when a seed failed, 2 for a command line that makes no sense. */
int sim_swarm_main(int argc, char **argv);

#endif
