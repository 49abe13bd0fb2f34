# SPDX-License-Identifier: MIT
# tap.sh - for the scripts beside it: cases that pass if there is nothing to complain about.

n=0 failed=0

case_is() { # NAME COMPLAINTS
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $n - $1"
	else
		failed=1
		echo "not ok $n - $1"
		echo "$2" | sed 's/^/#   /'
	fi
}

case_skipped() { # NAME REASON
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

done_with_cases() {
	echo "1..$n"
	exit $failed
}
