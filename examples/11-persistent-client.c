/* SPDX-License-Identifier: MIT
 *
 * A client that keeps its connection: one handshake for all messages, not one for each.
 *
 *	11-persistent-client [ENDPOINT]
 *
 * On a connection that stays, somebody must say where a message ends: two quick ones may arrive as one, and a long
 * answer in pieces.  Here a line is a message, so each answer is whole, however it travelled.  EXIT leaves. */
#include <myriad.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	char line[4096], answer[65536];
	struct myr_conn *c;
	ssize_t n = 0;

	if (myr_dial(&c, argc > 1 ? argv[1] : "9999", 10000) < 0) {
		fprintf(stderr, "%s\n", myr_reason());
		return 1;
	}
	myr_set_framing(c, &myr_lines);
	myr_set_timeout(c, 30000);     /* nobody answers for ever */
	while (printf("Mensagem: "), fflush(stdout), fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "EXIT") == 0)
			break;
		myr_send(c, line, strlen(line));   /* an empty message is a message: nobody hangs */
		n = myr_recv(c, answer, sizeof answer);
		if (n < 0)
			break;
		printf("Resposta: %s\n", answer);
	}
	if (n < 0)
		fprintf(stderr, "no answer: %s\n", myr_strerror((int)n));
	myr_close(c);
	return n < 0;
}
