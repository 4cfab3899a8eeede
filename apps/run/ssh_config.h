/*
 * ssh(1) believes files that its configuration includes only if they are root's or the user's, and ends where one is
 * not. In the user namespace of an ordinary user root's look like nobody's, and root must not be mapped there; so the
 * program finds copies in their place, in a mount namespace of its own, which are the user's.
 */
#ifndef HW_APPS_RUN_SSH_CONFIG_H
#define HW_APPS_RUN_SSH_CONFIG_H

/* Reads, outside of the user namespace, what ssh reads: SSH_CONFIG_FILES at most, of SSH_CONFIG_BYTES at most. Returns
 * NULL where there is no memory. */
enum { SSH_CONFIG_FILES = 64, SSH_CONFIG_BYTES = 65536 };
struct ssh_config *ssh_config_remember(void);

/* Puts copies of those that are root's in their place, if this process cannot see any more that they are. What cannot
 * be done is left: only ssh has to do without. */
void ssh_config_restore(struct ssh_config *config);

void ssh_config_free(struct ssh_config *config);

#endif
