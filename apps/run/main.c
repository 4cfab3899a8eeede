/*
 * hawser run: a program whose TCP goes by the service. This very process becomes the program, in a network namespace of
 * its own: so its exit status, signals, terminal, files and surroundings are what they would be without.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "run/builder.h"
#include "run/options.h"
#include "run/ssh_config.h"
#include "service/control_socket.h"

enum { EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127, WHY_SIZE = 512 };

/* Becomes the program, or says why not. */
static int become(char **program)
{
    execvp(program[0], program);
    int error = errno;
    command_fail("run", "cannot run %s: %s", program[0], strerror(error));
    return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

int run_main(int argc, char **argv)
{
    struct run_options options;
    char why[WHY_SIZE];
    int status = run_options_read(&options, argc, argv);
    if (status >= 0)
        return status;
    struct ssh_config *ssh_config = ssh_config_remember();
    int control = control_connect(control_path(options.control), why, sizeof(why));
    int error = control < 0 ? control : builder_run(&options, control, why, sizeof(why));
    if (control >= 0)
        close(control);
    if (!error)
        ssh_config_restore(ssh_config);
    ssh_config_free(ssh_config);
    if (!error)
        return become(options.program);
    if (!options.fallback)
        return command_fail("run", "%s", why);
    return become(options.program);
}
