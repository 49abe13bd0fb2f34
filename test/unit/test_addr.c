/* SPDX-License-Identifier: MIT
 *
 * test_addr.c - endpoints: what is understood, what is refused and in which words; addresses. */
#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/addr.h"

#define A10  "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10

static const struct {
	const char *text, *formatted;
	unsigned mode;
	int backlog;
} good[] = {
	{ "7000",                     "tcp:127.0.0.1:7000", 0, 0 },
	{ "0",                        "tcp:127.0.0.1:0", 0, 0 },
	{ "65535",                    "tcp:127.0.0.1:65535", 0, 0 },
	{ "007",                      "tcp:127.0.0.1:7", 0, 0 },
	{ "00000000000000000000080",  "tcp:127.0.0.1:80", 0, 0 },
	{ ":7000",                    "tcp::7000", 0, 0 },
	{ ":0",                       "tcp::0", 0, 0 },
	{ "localhost:80",             "tcp:localhost:80", 0, 0 },
	{ "a-b.c_d.example:80",       "tcp:a-b.c_d.example:80", 0, 0 },
	{ "127.0.0.1:80",             "tcp:127.0.0.1:80", 0, 0 },
	{ "0.0.0.0:80",               "tcp:0.0.0.0:80", 0, 0 },
	{ "[::1]:80",                 "tcp:[::1]:80", 0, 0 },
	{ "[::]:80",                  "tcp:[::]:80", 0, 0 },
	{ "[2001:db8::1]:0",          "tcp:[2001:db8::1]:0", 0, 0 },
	{ "[fe80::1%eth0]:80",        "tcp:[fe80::1%eth0]:80", 0, 0 },
	{ "[::ffff:192.0.2.1]:80",    "tcp:[::ffff:192.0.2.1]:80", 0, 0 },
	{ "tcp:7000",                 "tcp:127.0.0.1:7000", 0, 0 },
	{ "tcp::7000",                "tcp::7000", 0, 0 },
	{ "tcp:host:7000",            "tcp:host:7000", 0, 0 },
	{ "tcp:[::1]:7000",           "tcp:[::1]:7000", 0, 0 },
	{ "tcp:tcp:80",               "tcp:tcp:80", 0, 0 },
	{ "b\xc3\xbc" "cher.example:80", "tcp:b\xc3\xbc" "cher.example:80", 0, 0 },
	{ "7000,backlog=5",           "tcp:127.0.0.1:7000", 0, 5 },
	{ ":7000,backlog=1,backlog=65535", "tcp::7000", 0, 65535 },
	{ "unix:/run/x.sock",         "unix:/run/x.sock", 0, 0 },
	{ "unix:relative name",       "unix:relative name", 0, 0 },
	{ "unix:/a:b",                "unix:/a:b", 0, 0 },
	{ "unix:@name",               "unix:@name", 0, 0 },
	{ "unix:@name,backlog=3",     "unix:@name", 0, 3 },
	{ "unix:/p,mode=0660",        "unix:/p", 0660, 0 },
	{ "unix:/p,mode=777",         "unix:/p", 0777, 0 },
	{ "unix:/p,backlog=9,mode=1", "unix:/p", 1, 9 },
	{ "unix:" A100 "1234567",     "unix:" A100 "1234567", 0, 0 },
	{ "udp:7000",                 "udp:127.0.0.1:7000", 0, 0 },
	{ "udp::7000",                "udp::7000", 0, 0 },
	{ "udp:host:53",              "udp:host:53", 0, 0 },
	{ "udp:[::1]:0",              "udp:[::1]:0", 0, 0 },
	{ "udp:7,amplify=10,from=any", "udp:127.0.0.1:7", 0, 0 },
	{ "unixgram:/run/x.sock",     "unixgram:/run/x.sock", 0, 0 },
	{ "unixgram:@name",           "unixgram:@name", 0, 0 },
	{ "unixgram:/p,mode=0660",    "unixgram:/p", 0660, 0 },
	{ "fd:0",                     "fd:0", 0, 0 },
	{ "fd:3",                     "fd:3", 0, 0 },
	{ "fd:2147483647",            "fd:2147483647", 0, 0 },
};

static const struct {
	const char *text, *why;
} bad[] = {
	{ "",            "endpoint \"\" lacks a port (HOST:PORT)" },
	{ "tcp:",        "endpoint \"\" lacks a port (HOST:PORT)" },
	{ "localhost",   "endpoint \"localhost\" lacks a port (HOST:PORT)" },
	{ "127.0.0.1",   "endpoint \"127.0.0.1\" lacks a port (HOST:PORT)" },
	{ "[::1]",       "endpoint \"[::1]\" lacks a port ([HOST]:PORT)" },
	{ "[::1]80",     "endpoint \"[::1]80\" lacks a port ([HOST]:PORT)" },
	{ "[::1:80",     "endpoint \"[::1:80\" lacks a closing bracket" },
	{ "[",           "endpoint \"[\" lacks a closing bracket" },
	{ "70000",       "port \"70000\" is out of range (1-65535)" },
	{ "65536",       "port \"65536\" is out of range (1-65535)" },
	{ ":65536",      "port \"65536\" is out of range (1-65535)" },
	{ "h:65616",     "port \"65616\" is out of range (1-65535)" },
	{ ":4294967376", "port \"4294967376\" is out of range (1-65535)" },
	{ ":18446744073709551696", "port \"18446744073709551696\" is out of range (1-65535)" },
	{ "+5",          "port \"+5\" is not a number" },
	{ "-5",          "port \"-5\" is not a number" },
	{ " 5",          "port \" 5\" is not a number" },
	{ "5 ",          "port \"5 \" is not a number" },
	{ "5x",          "port \"5x\" is not a number" },
	{ "0x50",        "port \"0x50\" is not a number" },
	{ "5\n",         "port \"5\\x0a\" is not a number" },
	{ "tcp:+5",      "port \"+5\" is not a number" },
	{ ":",           "port \"\" is not a number" },
	{ "host:",       "port \"\" is not a number" },
	{ "host:http",   "port \"http\" is not a number" },
	{ "host:+80",    "port \"+80\" is not a number" },
	{ "host: 80",    "port \" 80\" is not a number" },
	{ "[::1]:",      "port \"\" is not a number" },
	{ "[::1]:80x",   "port \"80x\" is not a number" },
	{ "::1",         "endpoint \"::1\" has too many colons (write IPv6 addresses as [::1]:PORT)" },
	{ "::1:80",      "endpoint \"::1:80\" has too many colons (write IPv6 addresses as [::1]:PORT)" },
	{ "a:b:80",      "endpoint \"a:b:80\" has too many colons (write IPv6 addresses as [::1]:PORT)" },
	{ "[]:80",       "host \"\" is not an IPv6 address" },
	{ "[host]:80",   "host \"host\" is not an IPv6 address" },
	{ "[127.0.0.1]:80", "host \"127.0.0.1\" is not an IPv6 address" },
	{ "[::1%]:80",   "host \"::1%\" is not an IPv6 address" },
	{ "[::1%a b]:80", "host \"::1%a b\" is not an IPv6 address" },
	{ "[1:2:3:4:5:6:7:8:9]:80", "host \"1:2:3:4:5:6:7:8:9\" is not an IPv6 address" },
	{ "a b:80",      "host \"a b\" is not a host name" },
	{ "*:80",        "host \"*\" is not a host name" },
	{ "a/b:80",      "host \"a/b\" is not a host name" },
	{ "\x1b[2J:80",  "host \"\\x1b[2J\" is not a host name" },
	{ "http://x",    "port \"//x\" is not a number" },
	{ "unix:",       "path \"\" of a unix socket is empty" },
	{ "unix:@",      "path \"@\" of a unix socket is empty" },
	{ "unix:,mode=0600", "path \"\" of a unix socket is empty" },
	{ "fd:",         "descriptor \"\" is not a number" },
	{ "fd:-1",       "descriptor \"-1\" is not a number" },
	{ "fd:x",        "descriptor \"x\" is not a number" },
	{ "fd:2147483648", "descriptor \"2147483648\" is out of range" },
	{ "tls:7000",    "endpoint \"tls:7000\" is of a kind that is not built in (use tcp:, udp:, unix:, unixgram: or fd:)" },
	{ "udp:",        "endpoint \"\" lacks a port (HOST:PORT)" },
	{ "udp:host",    "endpoint \"host\" lacks a port (HOST:PORT)" },
	{ "udp:h:70000", "port \"70000\" is out of range (1-65535)" },
	{ "udp:[::1]80", "endpoint \"[::1]80\" lacks a port ([HOST]:PORT)" },
	{ "udp:80,backlog=5", "option \"backlog\" does not apply to this kind of endpoint" },
	{ "udp:80,mode=0600", "option \"mode\" does not apply to this kind of endpoint" },
	{ "udp:80,amplify", "amplify \"\" is not a number" },
	{ "udp:80,amplify=0", "amplify \"0\" is out of range (1-1000)" },
	{ "udp:80,amplify=1001", "amplify \"1001\" is out of range (1-1000)" },
	{ "udp:80,from", "option \"from\" is not known (from=any)" },
	{ "udp:80,from=all", "option \"from=all\" is not known (from=any)" },
	{ "80,amplify=5", "option \"amplify\" does not apply to this kind of endpoint" },
	{ "80,from=any", "option \"from\" does not apply to this kind of endpoint" },
	{ "unixgram:",   "path \"\" of a unix socket is empty" },
	{ "unixgram:@",  "path \"@\" of a unix socket is empty" },
	{ "unixgram:/p,backlog=5", "option \"backlog\" does not apply to this kind of endpoint" },
	{ "unixgram:/p,amplify=5", "option \"amplify\" does not apply to this kind of endpoint" },
	{ "unixgram:@p,mode=0660", "option \"mode\" needs a socket file, not an abstract name" },
	{ "80,",         "option \"\" is not known" },
	{ "80,backlog=5,", "option \"\" is not known" },
	{ "80,nodelay",  "option \"nodelay\" is not known" },
	{ "80,Backlog=5", "option \"Backlog\" is not known" },
	{ "80,backlog",  "backlog \"\" is not a number" },
	{ "80,backlog=", "backlog \"\" is not a number" },
	{ "80,backlog=x", "backlog \"x\" is not a number" },
	{ "80,backlog=0", "backlog \"0\" is out of range (1-65535)" },
	{ "80,backlog=65536", "backlog \"65536\" is out of range (1-65535)" },
	{ "80,mode=0660", "option \"mode\" does not apply to this kind of endpoint" },
	{ "fd:3,backlog=5", "option \"backlog\" does not apply to this kind of endpoint" },
	{ "unix:/p,mode=0", "mode \"0\" is out of range (0001-0777)" },
	{ "unix:/p,mode=1777", "mode \"1777\" is out of range (0001-0777)" },
	{ "unix:/p,mode=0680", "mode \"0680\" is not an octal number" },
	{ "unix:@p,mode=0660", "option \"mode\" needs a socket file, not an abstract name" },
};

static void test_good_endpoints(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		struct endpoint e, again;
		char why[200], text[400], text2[400];
		int err = endpoint_parse(&e, good[i].text, why, sizeof why);

		if (err != 0)
			fail_msg("\"%s\" was refused: %s", good[i].text, why);
		assert_string_equal(why, "");
		assert_int_equal(endpoint_format(&e, text, sizeof text), strlen(good[i].formatted));
		assert_string_equal(text, good[i].formatted);
		assert_int_equal(e.mode, good[i].mode);
		assert_int_equal(e.backlog, good[i].backlog);
		assert_int_equal(endpoint_parse(&again, text, why, sizeof why), 0);
		endpoint_format(&again, text2, sizeof text2);
		assert_string_equal(text, text2);
	}
}

static void test_bad_endpoints_are_refused_in_clear_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct endpoint e;
		char why[200];

		if (endpoint_parse(&e, bad[i].text, why, sizeof why) != -EINVAL)
			fail_msg("\"%s\" was not refused", bad[i].text);
		assert_string_equal(why, bad[i].why);
	}
}

static void test_too_long(void **state)
{
	struct endpoint e;
	char text[600], why[200], tiny[8];

	(void)state;
	assert_int_equal(endpoint_parse(&e, "unix:" A100 "12345678", why, sizeof why), -EINVAL);
	assert_non_null(strstr(why, "is too long for a unix socket (107 bytes at most)"));
	memset(text, 'h', sizeof text);
	strcpy(text + 255, ":80");
	assert_int_equal(endpoint_parse(&e, text, why, sizeof why), 0);
	assert_int_equal(strlen(e.host), 255);
	text[255] = 'h';
	strcpy(text + 256, ":80");
	assert_int_equal(endpoint_parse(&e, text, why, sizeof why), -EINVAL);
	assert_non_null(strstr(why, "is too long (255 bytes at most)"));
	strcpy(text, "[fe80::1%");
	memset(text + 9, 'z', 300);
	strcpy(text + 309, "]:80");
	assert_int_equal(endpoint_parse(&e, text, why, sizeof why), -EINVAL);
	assert_int_equal(endpoint_parse(&e, "70000", tiny, sizeof tiny), -EINVAL);
	assert_string_equal(tiny, "port \"7");
	assert_int_equal(endpoint_parse(&e, "70000", NULL, 0), -EINVAL);
}

/* Whatever it is fed, the parser stays inside its arrays, and its sentences are printable. */
static void test_random_endpoints_never_break_the_parser(void **state)
{
	static const char alphabet[] = "0123456789:::[],,=@/.%abcdfegiklmnoptuxU \n\x1b\x80\xff";
	static const char *const starts[] = { "", "tcp:", "unix:", "fd:", "[::1]:", "host:", ":1,backlog=", "unix:/,mode=" };
	char text[400], why[64], formatted[400];
	unsigned understood = 0;
	struct endpoint e;

	(void)state;
	unit_seed("addr");
	for (int i = 0; i < 100000; i++) {
		size_t at = (size_t)sprintf(text, "%s", starts[unit_below(8)]);
		size_t n = unit_below(unit_below(10) == 0 ? 350 : 8);

		while (n-- > 0)
			text[at++] = alphabet[unit_below(sizeof alphabet - 1)];
		text[at] = '\0';
		if (endpoint_parse(&e, text, why, sizeof why) == 0) {
			assert_true(endpoint_format(&e, formatted, sizeof formatted) > 3);
			understood++;
			continue;
		}
		assert_true(strlen(why) > 10);
		for (const char *p = why; *p != '\0'; p++)
			assert_true((unsigned char)*p >= 0x20 && (unsigned char)*p < 0x7f);
	}
	assert_true(understood > 1000);
}

static struct addr from_text(int family, const char *ip, uint16_t port)
{
	struct sockaddr_storage ss = { .ss_family = (sa_family_t)family };
	struct sockaddr_in *in = (void *)&ss;
	struct sockaddr_in6 *in6 = (void *)&ss;
	struct addr a;

	if (family == AF_INET) {
		in->sin_port = htons(port);
		assert_int_equal(inet_pton(family, ip, &in->sin_addr), 1);
	} else {
		in6->sin6_port = htons(port);
		assert_int_equal(inet_pton(family, ip, &in6->sin6_addr), 1);
	}
	addr_from_sockaddr(&a, (struct sockaddr *)&ss, family == AF_INET ? sizeof *in : sizeof *in6);
	return a;
}

static void test_addresses_as_text(void **state)
{
	static const struct {
		int family;
		const char *ip;
		uint16_t port;
		const char *text, *host;
	} cases[] = {
		{ AF_INET,  "192.0.2.1", 4711, "192.0.2.1:4711", "192.0.2.1" },
		{ AF_INET,  "255.255.255.255", 65535, "255.255.255.255:65535", "255.255.255.255" },
		{ AF_INET6, "::1", 4711, "[::1]:4711", "::1" },
		{ AF_INET6, "::ffff:192.0.2.1", 1, "192.0.2.1:1", "192.0.2.1" },
		{ AF_INET6, "::192.0.2.1", 1, "[::192.0.2.1]:1", "::192.0.2.1" },
		{ AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666", 65535,
		  "[2001:db8:1111:2222:3333:4444:5555:6666]:65535", "2001:db8:1111:2222:3333:4444:5555:6666" },
	};
	char text[ADDR_TEXT];

	(void)state;
	assert_int_equal(sizeof(struct addr), 20);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr a = from_text(cases[i].family, cases[i].ip, cases[i].port);

		assert_int_equal(addr_format(&a, text, sizeof text), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
		assert_int_equal(addr_format_host(&a, text, sizeof text), strlen(cases[i].host));
		assert_string_equal(text, cases[i].host);
		assert_int_equal(addr_format(&a, text, 5), 4);
		assert_int_equal(strlen(text), 4);
	}
}

static void test_mapped_addresses_are_the_ipv4_ones(void **state)
{
	struct addr a = from_text(AF_INET, "192.0.2.1", 80), b = from_text(AF_INET6, "::ffff:192.0.2.1", 80);

	(void)state;
	assert_memory_equal(&a, &b, sizeof a);
	assert_true(addr_peer_key(&a) == addr_peer_key(&b));
}

static void test_what_the_kernel_leaves_out(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct addr a;
	char text[ADDR_TEXT];
	char odd[1 + sizeof in];

	(void)state;
	addr_from_sockaddr(&a, (struct sockaddr *)&un, sizeof(sa_family_t));
	addr_format(&a, text, sizeof text);
	assert_string_equal(text, "unix");
	assert_int_equal(addr_peer_key(&a), 0);
	addr_from_sockaddr(&a, NULL, 0);
	assert_int_equal(a.family, 0);
	addr_format(&a, text, sizeof text);
	assert_string_equal(text, "unknown");
	assert_int_equal(addr_peer_key(&a), 0);
	addr_from_sockaddr(&a, (struct sockaddr *)&in, sizeof in - 1);
	assert_int_equal(a.family, 0);
	addr_from_sockaddr(&a, (struct sockaddr *)&in, 1);
	assert_int_equal(a.family, 0);
	in.sin_family = AF_NETLINK;
	addr_from_sockaddr(&a, (struct sockaddr *)&in, sizeof in);
	assert_int_equal(a.family, 0);
	in.sin_family = AF_INET;
	memcpy(odd + 1, &in, sizeof in);        /* not aligned */
	addr_from_sockaddr(&a, (struct sockaddr *)(void *)(odd + 1), sizeof in);
	assert_int_equal(a.family, AF_INET);
}

static void test_peers_are_counted_by_address_or_prefix(void **state)
{
	static const struct {
		int family;
		const char *ip;
		int group;
	} peers[] = {
		{ AF_INET,  "0.0.0.0", 0 }, { AF_INET, "0.0.0.1", 1 }, { AF_INET, "192.0.2.1", 2 },
		{ AF_INET6, "::ffff:192.0.2.1", 2 }, { AF_INET6, "::1", 3 }, { AF_INET6, "::2", 3 },
		{ AF_INET6, "2001:db8::1", 4 }, { AF_INET6, "2001:db8::ffff:0:0:1", 4 },
		{ AF_INET6, "2001:db8:0:1::1", 5 }, { AF_INET6, "0:0:c000:201::", 6 }, { AF_INET, "192.0.2.2", 7 },
	};
	size_t n = sizeof peers / sizeof *peers;

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++) {
			struct addr a = from_text(peers[i].family, peers[i].ip, (uint16_t)i);
			struct addr b = from_text(peers[k].family, peers[k].ip, (uint16_t)k);

			assert_true(addr_peer_key(&a) != 0);
			assert_int_equal(addr_peer_key(&a) == addr_peer_key(&b), peers[i].group == peers[k].group);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_endpoints),
		cmocka_unit_test(test_bad_endpoints_are_refused_in_clear_words),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_random_endpoints_never_break_the_parser),
		cmocka_unit_test(test_addresses_as_text),
		cmocka_unit_test(test_mapped_addresses_are_the_ipv4_ones),
		cmocka_unit_test(test_what_the_kernel_leaves_out),
		cmocka_unit_test(test_peers_are_counted_by_address_or_prefix),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
