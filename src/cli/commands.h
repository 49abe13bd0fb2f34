/* SPDX-License-Identifier: MIT
 *
 * commands.h - the commands: argv[0] is the command's name; each returns the exit status. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

int serve_main   (int argc, char **argv);
int run_main     (int argc, char **argv);
int stop_main    (int argc, char **argv);
int status_main  (int argc, char **argv);
int reload_main  (int argc, char **argv);
int new_main     (int argc, char **argv);
int connect_main (int argc, char **argv);
int multi_main   (int argc, char **argv);
int send_main    (int argc, char **argv);
int engines_main (int argc, char **argv);
int services_main(int argc, char **argv);

void services_print(void);              /* for serve --list, too */
const char *main_number(void);          /* the version */

#endif
